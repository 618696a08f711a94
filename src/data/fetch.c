#define _POSIX_C_SOURCE 200809L /* ftruncate */
#include "data/fetch.h"

#ifdef MG_HAVE_CURL
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_SECONDS = 5, /* where there is no route, nobody should wait for long */
    STALL_SECONDS = 30,  /* give up after so long below STALL_RATE */
    STALL_RATE = 1000,   /* bytes/s */
};

typedef struct transfer {
    mg_fetch *fetch;
    CURL *curl;
    uint64_t start; /* where in the file this answer's body starts */
    uint64_t done;  /* size of the file */
    bool answered, too_large;
    int error; /* errno of a failed write */
} transfer;

/* Called with each piece of the body. Status 200 where a range was asked for means that the server
 * ignored it and sends everything. */
static size_t on_body(char *bytes, size_t one, size_t size, void *user)
{
    transfer *t = user;
    long code = 0;
    (void)one; /* always 1 */

    if (!t->answered && t->start > 0) {
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
        if (code == 200) {
            if (ftruncate(t->fetch->fd, 0) || lseek(t->fetch->fd, 0, SEEK_SET)) {
                t->error = errno;
                return 0;
            }
            t->start = t->done = 0;
        }
    }
    t->answered = true;
    if (size > t->fetch->limit || t->done > t->fetch->limit - size) {
        t->too_large = true;
        return 0;
    }
    for (size_t put = 0; put < size;) {
        const ssize_t n = write(t->fetch->fd, bytes + put, size - put);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            t->error = errno;
            return 0;
        }
        put += (size_t)n;
    }
    t->done += size;
    return size;
}

static int on_progress(void *user, curl_off_t total, curl_off_t done, curl_off_t a, curl_off_t b)
{
    const transfer *t = user;
    (void)done;
    (void)a; /* uploads */
    (void)b;
    if (t->answered)
        t->fetch->progress(t->fetch->user, t->fetch->file, t->done,
                           total > 0 ? t->start + (uint64_t)total : 0);
    return 0;
}

static void set_options(transfer *t, char *message)
{
    CURL *curl = t->curl;
    curl_easy_setopt(curl, CURLOPT_URL, t->fetch->url);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mnist_gpu");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* no SIGALRM in the caller's threads */
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_RATE);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    if (t->fetch->progress) {
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    }
}

mg_status mg__fetch(mg_fetch *fetch)
{
    mg_status st = MG_OK;
    transfer t = {.fetch = fetch, .start = fetch->offset, .done = fetch->offset};
    char message[CURL_ERROR_SIZE] = "", range[32];
    long code = 0;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return mg__fail(MG_ERR_NETWORK, "libcurl cannot start");
    t.curl = curl_easy_init();
    if (!t.curl) MG_FAIL(MG_ERR_MEMORY, "no memory for a transfer");
    set_options(&t, message);
    if (fetch->offset > 0) { /* not RESUME_FROM, which fails where the server sends everything */
        snprintf(range, sizeof range, "%" PRIu64 "-", fetch->offset);
        curl_easy_setopt(t.curl, CURLOPT_RANGE, range);
    }
    const CURLcode result = curl_easy_perform(t.curl);
    curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &code);

    if (t.error) MG_FAIL(MG_ERR_IO, "cannot write: %s", strerror(t.error));
    if (t.too_large)
        MG_FAIL(MG_ERR_FORMAT, "found more than the %" PRIu64 " bytes expected at most",
                fetch->limit);
    if (result == CURLE_HTTP_RETURNED_ERROR && code == 416 && fetch->offset > 0) goto out;
    if (result != CURLE_OK)
        MG_FAIL(MG_ERR_NETWORK, "%s", *message ? message : curl_easy_strerror(result));
out:
    curl_easy_cleanup(t.curl);
    curl_global_cleanup();
    return st;
}

#else

mg_status mg__fetch(mg_fetch *fetch)
{
    return mg__fail(MG_ERR_UNSUPPORTED,
                    "%s: this mnist_gpu was built without libcurl and cannot download: install "
                    "libcurl4-openssl-dev (libcurl-devel) and build it again, or fetch %s yourself",
                    fetch->file, fetch->url);
}

#endif
