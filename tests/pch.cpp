// Owner of the precompiled headers that tests share; see tests/CMakeLists.txt.
int main() { return 0; }
