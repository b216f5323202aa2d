"""The commands, one file each: read options, call the library, print. Each returns the exit code: 0 done, 1 a check
failed. Bad input raises PenniError, which the command line turns into one line and exit code 2.
"""
