# What is installed, and where: `cmake --install` into any prefix, or by pip into the Python package. Every file finds
# the others by its own place, so the tree may be moved.
#
# Components: runtime (the shared library), development (headers, static library, CMake and pkg-config files) and
# python (the extension module).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(WEFT_LIBDIR ${CMAKE_INSTALL_LIBDIR})
set(WEFT_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})
if(DEFINED SKBUILD)
  set(WEFT_LIBDIR weftnn/lib)
  set(WEFT_INCLUDEDIR weftnn/include)
endif()
set(WEFT_CMAKEDIR ${WEFT_LIBDIR}/cmake/weft)

# The libraries.
if(DEFINED SKBUILD)
  install(TARGETS weft_shared LIBRARY DESTINATION ${WEFT_LIBDIR} COMPONENT runtime NAMELINK_SKIP)
  # A wheel holds no symbolic links: what a linker finds for -lweft is a line that names the library.
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/namelink/libweft.so
       CONTENT "INPUT(-l:$<TARGET_SONAME_FILE_NAME:weft_shared>)\n")
  install(FILES ${PROJECT_BINARY_DIR}/namelink/libweft.so DESTINATION ${WEFT_LIBDIR} COMPONENT development)
else()
  install(TARGETS weft_shared LIBRARY DESTINATION ${WEFT_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
  install(FILES LICENSE licenses/eigen.txt DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
endif()
if(WEFT_STATIC)
  install(TARGETS weft_static ARCHIVE DESTINATION ${WEFT_LIBDIR} COMPONENT development)
endif()
install(DIRECTORY cpp/include/weft DESTINATION ${WEFT_INCLUDEDIR} COMPONENT development)

# What a program has to be linked with beside the static library, whatever its language: names, since the folders are
# those of the machine that builds the program.
set(WEFT_CXX_RUNTIME ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(FILTER WEFT_CXX_RUNTIME INCLUDE REGEX "^(stdc\\+\\+|c\\+\\+|c\\+\\+abi|m)$")
set(WEFT_STATIC_NEEDS pthread ${CMAKE_DL_LIBS} ${WEFT_CXX_RUNTIME})
list(REMOVE_DUPLICATES WEFT_STATIC_NEEDS)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # A program keeps what it calls; a plug-in that holds the library does not export it again.
  set(WEFT_STATIC_OPTIONS LINKER:--gc-sections LINKER:--exclude-libs,libweft.a)
endif()

# find_package(weft CONFIG)
set(WEFT_SONAME ${CMAKE_SHARED_LIBRARY_PREFIX}weft${CMAKE_SHARED_LIBRARY_SUFFIX}.${PROJECT_VERSION_MAJOR})
set(WEFT_ARCHIVE ${CMAKE_STATIC_LIBRARY_PREFIX}weft${CMAKE_STATIC_LIBRARY_SUFFIX})
configure_package_config_file(cmake/weft-config.cmake.in ${PROJECT_BINARY_DIR}/weft-config.cmake
                              INSTALL_DESTINATION ${WEFT_CMAKEDIR} PATH_VARS WEFT_LIBDIR WEFT_INCLUDEDIR
                              NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the C++ interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weft-config.cmake ${PROJECT_BINARY_DIR}/weft-config-version.cmake
        DESTINATION ${WEFT_CMAKEDIR} COMPONENT development)

# pkg-config weft
foreach(folder LIBDIR INCLUDEDIR)  # they may be given as absolute
  cmake_path(ABSOLUTE_PATH WEFT_${folder} BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" OUTPUT_VARIABLE WEFT_FULL_${folder})
endforeach()
file(RELATIVE_PATH WEFT_INCLUDEDIR_FROM_PC ${WEFT_FULL_LIBDIR}/pkgconfig ${WEFT_FULL_INCLUDEDIR})
list(TRANSFORM WEFT_STATIC_NEEDS PREPEND -l OUTPUT_VARIABLE WEFT_STATIC_FLAGS)
string(REPLACE "LINKER:" "-Wl," WEFT_STATIC_FLAGS "${WEFT_STATIC_FLAGS};${WEFT_STATIC_OPTIONS}")
list(JOIN WEFT_STATIC_FLAGS " " WEFT_STATIC_FLAGS)
configure_file(cmake/weft.pc.in ${PROJECT_BINARY_DIR}/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${WEFT_LIBDIR}/pkgconfig COMPONENT development)
