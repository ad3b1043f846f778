"""Time and memory of the program, measured beside ordinary things in the same run, printed as ratios.

`python -m bench [startup] [profiles] [memory] [open] [dropped] [stun]` runs some or all. Nothing here fails on a
number: machines differ, and what counts is the comparison with the line beside it.
"""
