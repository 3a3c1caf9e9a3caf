# CPack: what an installed Cuescope consists of.
include(GNUInstallDirs)
