// The engine's one precompiled header; see engine/CMakeLists.txt.
