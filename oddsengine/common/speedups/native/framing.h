/* The channels in which markets changed, and what the frames of their audiences are made of. */
#ifndef ODDSENGINE_FRAMING_H
#define ODDSENGINE_FRAMING_H

#include "arrays.h"
#include "objects.h"

/* Markets next to each other. */
struct span {
    Py_ssize_t start, end;
    uint32_t next;
};

/* A channel in which markets changed: its name and its audiences, both owned. */
struct channel {
    PyObject *name, *audiences;
    Py_ssize_t count;
    uint32_t first, last;
};

/* The fragments for some options, both owned: a list of bytes, and of None for those that are not encoded yet. */
struct ready {
    PyObject *options, *fragments;
};

struct framing {
    struct numbers numbers;
    struct channel *channels;
    struct span *spans;
    struct ready *ready;
    uint32_t channel_count, channel_room, span_count, span_room, ready_count, ready_room, last_ready;
    Py_ssize_t total;
    /* what is called in Python, and the stamps known so far; borrowed */
    PyObject *fragments_of, *stamps, *stamp_of, *special;
};

void release_framing(struct framing *framing);
/* Finds the channels of the markets. Returns 1 if the runs are not those of the markets. */
int find_channels(struct framing *framing, PyObject *runs, PyObject *ids, PyObject *events, PyObject *by_channel, int is_wide);
/* Returns the indexes of a channel's markets, as a range where they are next to each other, else as a list. */
PyObject *indexes_of(const struct framing *framing, const struct channel *channel);

static inline char *copy(char *to, PyObject *bytes)
{
    memcpy(to, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    return to + PyBytes_GET_SIZE(bytes);
}

#endif
