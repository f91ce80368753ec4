# Checks of weir's C that compile it without running it: clang-tidy, other compilers, another architecture. Each is a
# target of stamps, one a file, so that what was checked is checked again only when it or a header has changed.

set(weir_check_directory ${CMAKE_BINARY_DIR}/checks)
file(GLOB_RECURSE weir_program_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.c)
file(GLOB weir_test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*.c ${CMAKE_SOURCE_DIR}/tests/helpers/*.c
    ${CMAKE_SOURCE_DIR}/tests/fuzz/*.c ${CMAKE_SOURCE_DIR}/bench/*.c)
# What only ./dev bench installs a library for
find_path(weir_microhttpd_header microhttpd.h NO_CACHE)
if(NOT weir_microhttpd_header)
    list(FILTER weir_test_sources EXCLUDE REGEX "/bench/microhttpd\\.c$")
endif()

# What the compilers of the checks are given. They do not look into the system's folders when they compile for another
# architecture, and these headers do not depend on one.
set(weir_portable_headers ${weir_check_directory}/include)
file(MAKE_DIRECTORY ${weir_portable_headers})
foreach(header jansson.h jansson_config.h seccomp.h seccomp-syscalls.h sqlite3.h xxhash.h uthash.h utlist.h utarray.h utstring.h cmocka.h)
    find_path(directory ${header} NO_CACHE)
    if(directory)
        file(CREATE_LINK ${directory}/${header} ${weir_portable_headers}/${header} SYMBOLIC)
    endif()
    unset(directory)
endforeach()
set(weir_check_flags -std=c17 -D_GNU_SOURCE -DWEIR_VERSION="${PROJECT_VERSION}" ${weir_warnings}
    -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_SOURCE_DIR}/bridge/include
    -isystem ${WEIR_BRIDGE}/include -isystem ${weir_portable_headers})

# weir_add_check(NAME SOURCES COMMAND...): run COMMAND with each source as its last argument. Nothing may be left to say:
# the command fails, or the file has passed. A dependency file comes from clang -MM, for clang-tidy writes none.
function(weir_add_check name sources)
    set(stamps)
    foreach(source IN LISTS ${sources})
        cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE relative)
        set(stamp ${weir_check_directory}/${name}/${relative}.stamp)
        cmake_path(GET stamp PARENT_PATH directory)
        file(MAKE_DIRECTORY ${directory})
        add_custom_command(
            OUTPUT ${stamp}
            COMMAND ${ARGN} ${source}
            COMMAND ${WEIR_CHECK_CLANG} ${weir_check_flags} -MM -MT ${stamp} -MF ${stamp}.d ${source}
            COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
            DEPENDS ${source} ${CMAKE_SOURCE_DIR}/.clang-tidy ${CMAKE_SOURCE_DIR}/tests/.clang-tidy
            DEPFILE ${stamp}.d
            COMMENT "Checking ${relative}: ${name}"
            VERBATIM
        )
        list(APPEND stamps ${stamp})
    endforeach()
    add_custom_target(check-${name} DEPENDS ${stamps})
    # Two ninjas must not work in one directory at once.
    add_test(NAME source/${name} COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target check-${name} -- --quiet -k 0)
    set_tests_properties(source/${name} PROPERTIES LABELS source TIMEOUT 1800 RESOURCE_LOCK ninja)
endfunction()

# weir_add_missing_tool(NAME TOOL): register a test that fails when the tool of a check is missing, so that it is not passed
# over in silence.
function(weir_add_missing_tool name tool)
    add_test(NAME source/${name} COMMAND ${CMAKE_COMMAND} -E echo "${tool} is not installed (./dev test installs it)")
    set_tests_properties(source/${name} PROPERTIES LABELS source FAIL_REGULAR_EXPRESSION "not installed")
endfunction()

set(weir_all_sources ${weir_program_sources} ${weir_test_sources})
find_program(WEIR_CHECK_CLANG clang REQUIRED)
find_program(WEIR_CHECK_GCC gcc REQUIRED)
find_program(WEIR_CHECK_TIDY clang-tidy)
find_program(WEIR_CHECK_AARCH64 NAMES aarch64-linux-gnu-gcc)

# The compilers that did not build it. With optimization: some warnings need to know how values flow.
if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    weir_add_check(clang weir_all_sources ${WEIR_CHECK_CLANG} ${weir_check_flags} -O2 -c -o /dev/null)
endif()
if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU")
    weir_add_check(gcc weir_all_sources ${WEIR_CHECK_GCC} ${weir_check_flags} -O2 -c -o /dev/null)
endif()

if(WEIR_CHECK_AARCH64)
    weir_add_check(aarch64 weir_program_sources ${WEIR_CHECK_AARCH64} ${weir_check_flags} -O2 -c -o /dev/null)
else()
    weir_add_missing_tool(aarch64 aarch64-linux-gnu-gcc)
endif()

if(WEIR_CHECK_TIDY)
    string(REPLACE ";" "\n" tidy_flags "${weir_check_flags}")
    file(GENERATE OUTPUT ${weir_check_directory}/compile_flags.txt CONTENT "${tidy_flags}\n")
    weir_add_check(clang-tidy weir_all_sources ${WEIR_CHECK_TIDY} --quiet -p ${weir_check_directory})
else()
    weir_add_missing_tool(clang-tidy clang-tidy)
endif()

# ---- Style -----------------------------------------------------------------------------------------------------------

add_test(NAME source/format COMMAND ${CMAKE_SOURCE_DIR}/dev format --check)
set_tests_properties(source/format PROPERTIES LABELS source TIMEOUT 120)

find_program(WEIR_CHECK_SHELLCHECK shellcheck)
if(WEIR_CHECK_SHELLCHECK)
    add_test(NAME source/shellcheck COMMAND ${WEIR_CHECK_SHELLCHECK} dev .ci/run WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(source/shellcheck PROPERTIES LABELS source TIMEOUT 120)
else()
    weir_add_missing_tool(shellcheck shellcheck)
endif()

# ---- Translations ----------------------------------------------------------------------------------------------------

# The template has every message of the sources, and every catalogue has every message of the template.
find_program(WEIR_CHECK_XGETTEXT xgettext)
if(WEIR_CHECK_XGETTEXT)
    add_test(NAME source/translations COMMAND ${CMAKE_SOURCE_DIR}/po/update --check)
    set_tests_properties(source/translations PROPERTIES LABELS source TIMEOUT 120)
else()
    weir_add_missing_tool(translations xgettext)
endif()
