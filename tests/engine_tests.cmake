# Tests of engine/, in the order of its folders.
