#include <stdio.h>
int greet(FILE *out, const char *name);
