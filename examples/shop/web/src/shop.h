// What the shop says: pages made once at start from the list of products.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct page {
    const char *type;
    char *body;
    size_t length;
};

struct shop {
    struct page front;
    struct page products;
    struct page version;
};

// Reads the products and makes the pages; says on standard error what is wrong with the file and returns false.
bool shop_load(struct shop *shop, const char *products, const char *version, const char *hostname);
