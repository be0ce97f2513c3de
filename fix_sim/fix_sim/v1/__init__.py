"""The control of the simulator, version 1: generated from `proto/fix_sim/v1`, never edited."""
