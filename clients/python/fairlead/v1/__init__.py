"""The API, version 1: generated from `proto/fairlead/v1`, never edited."""
