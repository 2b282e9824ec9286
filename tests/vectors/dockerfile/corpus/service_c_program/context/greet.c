#include "greet.h"
int greet(FILE *out, const char *name)
{
    return fprintf(out, "hello %s (%s)\n", name, VERSION);
}
