# What weir is built on, as libraries to link with: weir_bridge, weir_jansson, weir_xxhash, weir_seccomp, weir_sqlite.

include(${CMAKE_SOURCE_DIR}/build/dependencies.cmake OPTIONAL RESULT_VARIABLE weir_dependencies)
if(NOT weir_dependencies)
    message(FATAL_ERROR "build/dependencies.cmake is missing: run ./dev build once, which makes it and what it names")
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# ---- The bridge: Wasmtime's C API and weir's additions ---------------------------------------------------------------

set(weir_bridge_archive ${WEIR_BRIDGE}/lib/libweir_bridge.a)
if(NOT EXISTS ${weir_bridge_archive})
    message(FATAL_ERROR "${weir_bridge_archive} is missing: run ./dev build, which builds it")
endif()
add_library(weir_bridge INTERFACE)
target_include_directories(weir_bridge INTERFACE ${CMAKE_SOURCE_DIR}/bridge/include ${CMAKE_SOURCE_DIR}/include)
target_include_directories(weir_bridge SYSTEM INTERFACE ${WEIR_BRIDGE}/include)
if(WEIR_SANITIZE STREQUAL "thread")
    # ThreadSanitizer sees nothing of the archive's synchronization, for the archive is not instrumented, and takes what
    # it orders for races. It can be told to disregard a shared library by name, so here the archive becomes one.
    set(weir_bridge_shared ${CMAKE_BINARY_DIR}/libweir_bridge.so)
    add_custom_command(
        OUTPUT ${weir_bridge_shared}
        COMMAND ${CMAKE_C_COMPILER} -shared -o ${weir_bridge_shared} -Wl,-soname,libweir_bridge.so -fuse-ld=lld
            -Wl,--whole-archive ${weir_bridge_archive} -Wl,--no-whole-archive
            -Wl,--version-script,${CMAKE_SOURCE_DIR}/cmake/bridge.map -Wl,--gc-sections -lpthread -ldl -lm
        DEPENDS ${weir_bridge_archive} ${CMAKE_SOURCE_DIR}/cmake/bridge.map
        COMMENT "Linking libweir_bridge.so"
        VERBATIM
    )
    add_custom_target(weir_bridge_shared DEPENDS ${weir_bridge_shared})
    add_dependencies(weir_bridge weir_bridge_shared)
    target_link_libraries(weir_bridge INTERFACE ${weir_bridge_shared})
else()
    target_link_libraries(weir_bridge INTERFACE ${weir_bridge_archive})
endif()
target_link_libraries(weir_bridge INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)

# ---- jansson ---------------------------------------------------------------------------------------------------------

# The archive where there is one, so that the program is one file.
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson>=2.13)
add_library(weir_jansson INTERFACE)
target_include_directories(weir_jansson SYSTEM INTERFACE ${jansson_INCLUDE_DIRS})
find_library(weir_jansson_library NAMES libjansson.a jansson HINTS ${jansson_LIBRARY_DIRS} NO_CACHE REQUIRED)
target_link_libraries(weir_jansson INTERFACE ${weir_jansson_library})

# ---- xxHash ----------------------------------------------------------------------------------------------------------

pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash>=0.8)
add_library(weir_xxhash INTERFACE)
target_include_directories(weir_xxhash SYSTEM INTERFACE ${xxhash_INCLUDE_DIRS})
find_library(weir_xxhash_library NAMES libxxhash.a xxhash HINTS ${xxhash_LIBRARY_DIRS} NO_CACHE REQUIRED)
target_link_libraries(weir_xxhash INTERFACE ${weir_xxhash_library})

# ---- libseccomp ------------------------------------------------------------------------------------------------------

pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5)
add_library(weir_seccomp INTERFACE)
target_include_directories(weir_seccomp SYSTEM INTERFACE ${seccomp_INCLUDE_DIRS})
find_library(weir_seccomp_library NAMES libseccomp.a seccomp HINTS ${seccomp_LIBRARY_DIRS} NO_CACHE REQUIRED)
target_link_libraries(weir_seccomp INTERFACE ${weir_seccomp_library})

# ---- SQLite ----------------------------------------------------------------------------------------------------------

pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3>=3.40)
add_library(weir_sqlite INTERFACE)
target_include_directories(weir_sqlite SYSTEM INTERFACE ${sqlite_INCLUDE_DIRS})
find_library(weir_sqlite_library NAMES libsqlite3.a sqlite3 HINTS ${sqlite_LIBRARY_DIRS} NO_CACHE REQUIRED)
target_link_libraries(weir_sqlite INTERFACE ${weir_sqlite_library} Threads::Threads ${CMAKE_DL_LIBS} m)
