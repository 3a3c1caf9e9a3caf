# Tests of widgets/, ui/ and app/.
cuescope_test(run_control LINK cuescope_core)
cuescope_test(session LINK cuescope_session SOURCES support/fake_engine.cpp)
cuescope_test(rollout_index LINK cuescope_core)
cuescope_test(cli LINK cuescope_core)
add_dependencies(tst_cli cuescope-cli)
cuescope_test(widgets_gallery LINK cuescope_widgets)
cuescope_test(widgets_theme LINK cuescope_widgets)
cuescope_test(widgets_heatmap LINK cuescope_widgets)
cuescope_test(widgets_reading LINK cuescope_widgets)
cuescope_test(widgets_steps LINK cuescope_widgets)
cuescope_test(train_page LINK cuescope_ui SOURCES support/fake_engine.cpp)
cuescope_test(window_access LINK cuescope_ui SOURCES support/fake_engine.cpp TIMEOUT 400)
cuescope_test(help LINK cuescope_ui)
cuescope_test(report LINK cuescope_ui SOURCES support/fake_engine.cpp)
cuescope_test(window LINK cuescope_ui SOURCES support/fake_engine.cpp TIMEOUT 120)
cuescope_test(rollouts_page LINK cuescope_ui SOURCES support/fake_engine.cpp)
cuescope_test(studio LINK cuescope_ui SOURCES support/fake_engine.cpp TIMEOUT 120)

# The studio drives itself through the whole main job, with the real engine on the demo.
add_test(NAME tour COMMAND cuescope --tour "${CMAKE_CURRENT_BINARY_DIR}/tour")
set_tests_properties(tour PROPERTIES TIMEOUT 900 RUN_SERIAL ON
  ENVIRONMENT "QT_QPA_PLATFORM=offscreen;OMP_WAIT_POLICY=passive")
