# The preset "fault": weir's own C asks tests/helpers/fault_allocation.c for memory, which refuses what a test wants refused.

add_library(weir_fault STATIC ${CMAKE_SOURCE_DIR}/tests/helpers/fault_allocation.c)
target_compile_definitions(weir_fault PRIVATE _GNU_SOURCE)
target_compile_options(weir_fault PRIVATE ${weir_warnings})
target_link_libraries(weir_fault PUBLIC weir_jansson)

foreach(function malloc calloc realloc reallocarray aligned_alloc strdup strndup vasprintf asprintf)
    target_compile_definitions(weir_flags INTERFACE ${function}=weir_fault_${function})
endforeach()
target_link_libraries(weir_flags INTERFACE weir_fault)
