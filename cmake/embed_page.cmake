# A script: writes TARGET with the bytes of SOURCE/page.html, in which page.css and page.js have taken their places.

# In hexadecimal digits, for in them nothing has a meaning to CMake: "@STYLE@" and "@SCRIPT@".
set(place_of_css 405354594c4540)
set(place_of_js 4053435249505440)
file(READ ${SOURCE}/page.html page HEX)
foreach(part IN ITEMS css js)
    file(READ ${SOURCE}/page.${part} bytes HEX)
    string(REPLACE ${place_of_${part}} "${bytes}" whole "${page}")
    if(whole STREQUAL page)
        message(FATAL_ERROR "${SOURCE}/page.html has no place for page.${part}")
    endif()
    set(page "${whole}")
endforeach()
string(REGEX REPLACE "(..)" "0x\\1," page "${page}")
file(WRITE ${TARGET} "#include \"admin/page.h\"\n\nconst unsigned char weir_admin_page[] = {${page}};\n"
    "const size_t weir_admin_page_size = sizeof weir_admin_page;\n")
