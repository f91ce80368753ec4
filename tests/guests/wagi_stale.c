/*
 * Answers "clean" when its memory is as a fresh instance's must be, and "stale" with a count of bytes when an earlier
 * instance shows through. Leaves all of it full.
 */
#include "stale.h"

int main(void)
{
    char text[64];
    stale_check(text, sizeof text);
    printf("content-type: text/plain\n\n%s", text);
    return 0;
}
