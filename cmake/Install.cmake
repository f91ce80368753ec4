# What `cmake --install` lays out: the program, libweir as a static and as a shared library, its headers, the files by
# which pkg-config and CMake find it, manual pages and documents, an example and the licence. Components: program, library (the shared
# library alone), development.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(weir_public_headers ${CMAKE_SOURCE_DIR}/include/weir/allocator.h ${CMAKE_SOURCE_DIR}/include/weir/engine.h)

# Wasmtime's headers are of one version and belong to this library, so they stay apart from those of an installed Wasmtime.
set(weir_install_wasmtime_headers ${CMAKE_INSTALL_INCLUDEDIR}/weir/wasmtime)

# Before 1.0 a minor version may change the interface; afterwards only a major one.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(weir_interface_version ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    set(weir_compatibility SameMinorVersion)
else()
    set(weir_interface_version ${PROJECT_VERSION_MAJOR})
    set(weir_compatibility SameMajorVersion)
endif()

# The functions of the public headers: a line that begins a declaration, up to the parenthesis
set(weir_public_functions)
foreach(header IN LISTS weir_public_headers)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    file(READ ${header} content)
    string(REGEX MATCHALL "\n[a-z][^\n(]*[ *]weir_[a-z0-9_]+\\(" declarations "${content}")
    foreach(declaration IN LISTS declarations)
        string(REGEX MATCH "weir_[a-z0-9_]+\\($" name "${declaration}")
        string(REPLACE "(" "" name "${name}")
        list(APPEND weir_public_functions ${name})
    endforeach()
endforeach()

# ---- The shared library ----------------------------------------------------------------------------------------------

# It offers Wasmtime's C API and the functions of weir's public headers, and nothing else of what is in it. Its symbols
# have a version, and it keeps to its own, so that a process may have another Wasmtime as well.
list(JOIN weir_public_functions "; " functions)
set(weir_version_script ${CMAKE_BINARY_DIR}/libweir.map)
file(CONFIGURE OUTPUT ${weir_version_script} @ONLY CONTENT
"# Made by cmake/Install.cmake from the public headers.
WEIR_@weir_interface_version@ {
    global: wasm_*; wasmtime_*; wasi_*; @functions@;
    local: *;
};
")

add_library(libweir SHARED $<TARGET_OBJECTS:weir_allocator>)
target_link_libraries(libweir PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,${weir_bridge_archive}> Threads::Threads
    ${CMAKE_DL_LIBS} m)
target_link_options(libweir PRIVATE -Wl,--version-script,${weir_version_script} -Wl,-Bsymbolic -Wl,--gc-sections
    -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(weir_has_lld)
    target_link_options(libweir PRIVATE -fuse-ld=lld)
endif()
set_target_properties(libweir PROPERTIES
    PREFIX ""
    LINKER_LANGUAGE C
    LINK_DEPENDS ${weir_version_script}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${weir_interface_version}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    weir_split_debug_information(libweir)
endif()

install(TARGETS libweir
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)

# ---- The static library ----------------------------------------------------------------------------------------------

# Two archives: weir's own objects, and the bridge, which holds Wasmtime. The latter is left as the compiler made it, for
# an archiver that has LLVM's plug-in fails to read the byte code that lies beside the code in Rust's objects, and would
# write an index without them.
install(FILES $<TARGET_FILE:weir_allocator> DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME libweir.a COMPONENT development)
install(FILES ${weir_bridge_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

# ---- Headers ---------------------------------------------------------------------------------------------------------

install(FILES ${weir_public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weir COMPONENT development)
install(DIRECTORY ${WEIR_BRIDGE}/include/ DESTINATION ${weir_install_wasmtime_headers} COMPONENT development
    FILES_MATCHING PATTERN "*.h")

# ---- For pkg-config and CMake ----------------------------------------------------------------------------------------

# Paths relative to where these files lie, so that what is installed can be moved as a whole.
set(weir_pkgconfig_directory ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(weir_package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/weir)

# weir_relocatable(DIRECTORY RET): a directory of the installation as a pkg-config file writes it
function(weir_relocatable directory ret)
    if(IS_ABSOLUTE ${directory})
        set(${ret} ${directory} PARENT_SCOPE)
    else()
        set(${ret} \${prefix}/${directory} PARENT_SCOPE)
    endif()
endfunction()

if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(weir_pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
    file(RELATIVE_PATH up /prefix/${weir_pkgconfig_directory} /prefix)
    string(REGEX REPLACE "/$" "" up ${up})
    set(weir_pc_prefix \${pcfiledir}/${up})
endif()
weir_relocatable(${CMAKE_INSTALL_LIBDIR} weir_pc_libdir)
weir_relocatable(${CMAKE_INSTALL_INCLUDEDIR} weir_pc_includedir)
weir_relocatable(${weir_install_wasmtime_headers} weir_pc_wasmtimedir)
configure_file(${CMAKE_SOURCE_DIR}/cmake/weir.pc.in ${CMAKE_BINARY_DIR}/weir.pc @ONLY)
configure_file(${CMAKE_SOURCE_DIR}/cmake/weir-static.pc.in ${CMAKE_BINARY_DIR}/weir-static.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/weir.pc ${CMAKE_BINARY_DIR}/weir-static.pc DESTINATION ${weir_pkgconfig_directory}
    COMPONENT development)

set(weir_libdir ${CMAKE_INSTALL_LIBDIR})
set(weir_includedir ${CMAKE_INSTALL_INCLUDEDIR})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/weirConfig.cmake.in ${CMAKE_BINARY_DIR}/weirConfig.cmake
    INSTALL_DESTINATION ${weir_package_directory}
    PATH_VARS weir_libdir weir_includedir weir_install_wasmtime_headers
    NO_CHECK_REQUIRED_COMPONENTS_MACRO
)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/weirConfigVersion.cmake COMPATIBILITY ${weir_compatibility})
install(FILES ${CMAKE_BINARY_DIR}/weirConfig.cmake ${CMAKE_BINARY_DIR}/weirConfigVersion.cmake
    DESTINATION ${weir_package_directory} COMPONENT development)

# ---- The program, manual pages, what they refer to, the example, the licence -----------------------------------------

install(TARGETS weir RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/weir.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/libweir.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)

# `man FUNCTION` shows the page of the library.
foreach(function IN LISTS weir_public_functions)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/man3/${function}.3 CONTENT ".so man3/libweir.3\n" @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/man3/${function}.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)
endforeach()

set(weir_program_documents
    bench-allocator.md
    doctor-json.md
    doctor.schema.json
    facts.md
    limits.md
    observability.md
    operating.md
    performance.md
    security.md
    spin-compatibility.md
    status.schema.json)
list(TRANSFORM weir_program_documents PREPEND ${CMAKE_SOURCE_DIR}/docs/)
install(FILES ${weir_program_documents} DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/images ${CMAKE_SOURCE_DIR}/deploy DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES ${CMAKE_SOURCE_DIR}/docs/facts.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(FILES ${CMAKE_SOURCE_DIR}/examples/embed.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT development)
foreach(component program library development)
    install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT ${component})
endforeach()
