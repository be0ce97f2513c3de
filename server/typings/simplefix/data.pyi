RAW_DATA: tuple[tuple[int, int], ...]
