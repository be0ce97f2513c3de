"""The business of an order router as frozen values and pure functions.

Nothing here performs I/O, reads a clock or draws a random number: time, identifiers and prices come in as
arguments, decisions go out as values. Prices and quantities are :class:`decimal.Decimal`, times aware UTC.
"""
