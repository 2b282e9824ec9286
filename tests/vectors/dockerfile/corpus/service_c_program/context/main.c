#include <stdio.h>
#include "greet.h"
int main(int argc, char **argv)
{
    return greet(stdout, argc > 1 ? argv[1] : "nobody") < 0;
}
