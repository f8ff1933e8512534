/* server.h - an HTTP/1.1 server on the loopback, in a process of its own that ends with the test's:
 * one file under every path, and what can go wrong with it. */
#ifndef WF_TEST_SERVER_H
#define WF_TEST_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Shared with the server, which reads it anew for every request. */
struct server {
    int port;
    char body[1 << 20];
    size_t size;
    char version[64];   /* value of the entity tag, with its quotes, or of the date */
    bool dated;         /* version is a Last-Modified */
    char type[32];      /* content type; "": none */
    int status;         /* instead of the file; 0: the file */
    char location[160]; /* where requests of /moved are sent */
    size_t cut;         /* bytes of the body sent before the connection ends; 0: all */
    bool stall;         /* it stays open there, silent */
    bool no_ranges;     /* sends the whole whatever is asked for */
    bool no_if;         /* sends the range of whatever version */
    bool no_total;      /* no length and no total, the end of the connection is that of the file */
    atomic_int asked;   /* requests */
    atomic_size_t sent; /* bytes of bodies */
    char range[64];     /* of the last request; "": none */
};

/* It stays until the process ends. */
struct server *server_start(void);
/* http://127.0.0.1:PORT/NAME; four stay valid. */
const char *server_url(const struct server *s, const char *name);

#endif
