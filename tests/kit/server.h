/* server.h - an HTTP/1.1 server on the loopback interface, in a process that ends with the test's.
 * It serves one file under every path, and can be told to misbehave. */
#ifndef WF_TEST_SERVER_H
#define WF_TEST_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* The memory is shared with the server, which reads the fields anew for every request. */
struct server {
    int port;
    char body[1 << 20];
    size_t size;
    char version[64];   /* value of the entity tag, with its quotes, or of the date */
    bool dated;         /* version is the date of a Last-Modified field */
    char type[32];      /* content type; "": none */
    int status;         /* sent instead of the file; 0: the file is sent */
    char location[160]; /* the target of the redirection of /moved */
    size_t cut;         /* bytes of the body sent before the connection ends; 0: all */
    bool stall;         /* after `cut` bytes the connection stays open, silent */
    bool no_ranges;     /* ignores Range and sends the whole file */
    bool no_if;         /* ignores If-Range and sends the range of any version */
    bool no_total;      /* sends no length; the end of the connection ends the file */
    atomic_int asked;   /* number of requests so far */
    atomic_size_t sent; /* bytes of bodies sent so far */
    char range[64];     /* the Range of the last request; "": it had none */
};

/* Starts a server that runs until the process ends. */
struct server *server_start(void);
/* http://127.0.0.1:PORT/NAME; the last four URLs are valid. */
const char *server_url(const struct server *s, const char *name);

#endif
