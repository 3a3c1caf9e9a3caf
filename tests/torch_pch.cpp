// Owner of the precompiled header that tests on LibTorch share; see tests/CMakeLists.txt.
int main() { return 0; }
