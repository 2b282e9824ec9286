#include "shop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PRODUCTS = 1000 };

struct product {
    char *sku, *name, *description;
    unsigned long cents;
};

struct catalogue {
    struct product items[MAX_PRODUCTS];
    size_t count;
};

static void write_html(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
    }
}

static void write_json(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static char *copy_field(const char *text) {
    char *copy = strdup(text);
    if (copy == NULL)
        abort();
    return copy;
}

// One line: sku, name, price in cents, description, separated by tabs.
static bool parse_product(char *line, struct product *product) {
    char *fields[4];
    size_t count = 0;
    for (char *field; (field = strsep(&line, "\t")) != NULL; count++) {
        if (count == 4 || *field == '\0')
            return false;
        fields[count] = field;
    }
    if (count != 4 || strspn(fields[2], "0123456789") != strlen(fields[2]))
        return false;

    errno = 0;
    product->cents = strtoul(fields[2], NULL, 10);
    if (errno != 0)
        return false;
    product->sku = copy_field(fields[0]);
    product->name = copy_field(fields[1]);
    product->description = copy_field(fields[3]);
    return true;
}

static bool read_products(struct catalogue *catalogue, const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "web: the products could not be read: '%s': %s\n", path, strerror(errno));
        return false;
    }

    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    for (int number = 1; good && getline(&line, &capacity, file) > 0; number++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (number == 1)
            continue; // the names of the columns
        good = catalogue->count < MAX_PRODUCTS && parse_product(line, &catalogue->items[catalogue->count]);
        if (good)
            catalogue->count++;
        else
            fprintf(stderr, "web: %s:%d: expected sku, name, price in cents and description, separated by tabs, at most %d times\n", path, number, MAX_PRODUCTS);
    }
    free(line);
    fclose(file);
    return good;
}

static FILE *begin_page(struct page *page, const char *type) {
    page->type = type;
    FILE *out = open_memstream(&page->body, &page->length);
    if (out == NULL)
        abort();
    return out;
}

static void make_front(struct page *page, const struct catalogue *catalogue, const char *version, const char *hostname) {
    FILE *out = begin_page(page, "text/html; charset=utf-8");
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>The ingot shop</title>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}"
          "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem;border-bottom:1px solid #ccc}"
          ".price{text-align:right;white-space:nowrap}</style>\n</head>\n<body>\n<h1>The ingot shop</h1>\n"
          "<table>\n<tr><th>No.</th><th>Product</th><th class=\"price\">Price</th></tr>\n", out);
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct product *product = &catalogue->items[i];
        fputs("<tr><td>", out);
        write_html(out, product->sku);
        fputs("</td><td><strong>", out);
        write_html(out, product->name);
        fputs("</strong><br>", out);
        write_html(out, product->description);
        fprintf(out, "</td><td class=\"price\">&euro; %lu.%02lu</td></tr>\n", product->cents / 100, product->cents % 100);
    }
    fputs("</table>\n<p>Version ", out);
    write_html(out, version);
    fputs(", served by ", out);
    write_html(out, hostname);
    fputs(".</p>\n</body>\n</html>\n", out);
    fclose(out);
}

static void make_products(struct page *page, const struct catalogue *catalogue) {
    FILE *out = begin_page(page, "application/json");
    fputs("{\"products\":[", out);
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct product *product = &catalogue->items[i];
        fputs(i == 0 ? "{\"sku\":" : ",{\"sku\":", out);
        write_json(out, product->sku);
        fputs(",\"name\":", out);
        write_json(out, product->name);
        fprintf(out, ",\"cents\":%lu,\"description\":", product->cents);
        write_json(out, product->description);
        fputc('}', out);
    }
    fputs("]}\n", out);
    fclose(out);
}

static void make_version(struct page *page, const char *version, const char *hostname) {
    FILE *out = begin_page(page, "application/json");
    fputs("{\"version\":", out);
    write_json(out, version);
    fputs(",\"hostname\":", out);
    write_json(out, hostname);
    fputs("}\n", out);
    fclose(out);
}

bool shop_load(struct shop *shop, const char *products, const char *version, const char *hostname) {
    static struct catalogue catalogue;
    if (!read_products(&catalogue, products))
        return false;

    make_front(&shop->front, &catalogue, version, hostname);
    make_products(&shop->products, &catalogue);
    make_version(&shop->version, version, hostname);
    return true;
}
