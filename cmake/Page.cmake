# The status page of the admin listener, compiled into the program: it goes where that goes.

set(weir_page_parts)
foreach(part IN ITEMS page.html page.css page.js)
    list(APPEND weir_page_parts ${CMAKE_SOURCE_DIR}/src/admin/${part})
endforeach()
add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/admin/page.c
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR}/src/admin -DTARGET=${CMAKE_BINARY_DIR}/admin/page.c
        -P ${CMAKE_SOURCE_DIR}/cmake/embed_page.cmake
    DEPENDS ${weir_page_parts} ${CMAKE_SOURCE_DIR}/cmake/embed_page.cmake
    COMMENT "Embedding the status page"
    VERBATIM
)
target_sources(weir_admin PRIVATE ${CMAKE_BINARY_DIR}/admin/page.c)
