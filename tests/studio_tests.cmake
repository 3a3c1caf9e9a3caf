# Tests of widgets/, ui/ and app/.
cuescope_test(session LINK cuescope_session SOURCES support/fake_engine.cpp)
