# Tests of engine/, in the order of its folders.
cuescope_test(worker LINK cuescope_core)
cuescope_test(golden LINK cuescope_core cuescope::torch)
cuescope_test(config LINK cuescope_core)
cuescope_test(run_directory LINK cuescope_core)
