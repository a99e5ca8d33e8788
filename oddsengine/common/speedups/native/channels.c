/* Find the channels in which markets changed. */
#include "framing.h"

void release_framing(struct framing *framing)
{
    for (uint32_t i = 0; i < framing->channel_count; i++) {
        Py_DECREF(framing->channels[i].name);
        Py_DECREF(framing->channels[i].audiences);
    }
    for (uint32_t i = 0; i < framing->ready_count; i++) {
        Py_DECREF(framing->ready[i].options);
        Py_XDECREF(framing->ready[i].fragments);
    }
    PyMem_Free(framing->numbers.cells);
    PyMem_Free(framing->channels);
    PyMem_Free(framing->spans);
    PyMem_Free(framing->ready);
}

/* Adds markets to a channel, if it has audiences. */
static int add_span(struct framing *framing, PyObject *by_channel, PyObject *name, Py_ssize_t start, Py_ssize_t end)
{
    PyObject *audiences = PyDict_GetItemWithError(by_channel, name);
    if (!audiences) return PyErr_Occurred() ? -1 : 0;
    if (check(PyDict_Check(audiences), "the audiences of a channel are a dict")) return -1;
    uint32_t number = number_of(&framing->numbers, audiences);
    if (number == NONE) return -1;
    if (number == framing->channel_count) {
        if (make_room((void **)&framing->channels, number, &framing->channel_room, sizeof *framing->channels)) return -1;
        framing->channels[framing->channel_count++] =
            (struct channel){Py_NewRef(name), Py_NewRef(audiences), 0, NONE, NONE};
    }
    struct channel *channel = &framing->channels[number];
    channel->count += end - start;
    if (channel->last != NONE && framing->spans[channel->last].end == start) {
        framing->spans[channel->last].end = end;
        return 0;
    }
    if (make_room((void **)&framing->spans, framing->span_count, &framing->span_room, sizeof *framing->spans)) return -1;
    framing->spans[framing->span_count] = (struct span){start, end, NONE};
    if (channel->last == NONE)
        channel->first = framing->span_count;
    else
        framing->spans[channel->last].next = framing->span_count;
    channel->last = framing->span_count++;
    return 0;
}

/* Adds a market to its own channel. */
static int add_market(struct framing *framing, PyObject *by_channel, PyObject *id, Py_ssize_t index)
{
    if (check(PyUnicode_Check(id), "the id of a market is a str")) return -1;
    PyObject *name = PyUnicode_FromFormat("market:%U", id);
    if (!name) return -1;
    int failed = add_span(framing, by_channel, name, index, index + 1);
    Py_DECREF(name);
    return failed;
}

/* Adds the markets of an event to its channels. */
static int add_event(struct framing *framing, PyObject *ids, PyObject *entry, PyObject *by_channel, int is_wide, Py_ssize_t start,
                     Py_ssize_t end)
{
    PyObject *channels = read_slot(&event_layout, entry, EVENT_CHANNELS);
    if (!channels || check(PyTuple_Check(channels), "channels are a tuple")) return -1;
    Py_INCREF(channels);
    Py_ssize_t wanted = PyTuple_GET_SIZE(channels);
    if (!is_wide && wanted > 1) wanted = 1;
    int failed = 0;
    for (Py_ssize_t k = 0; k < wanted && !failed; k++)
        failed = add_span(framing, by_channel, PyTuple_GET_ITEM(channels, k), start, end);
    Py_DECREF(channels);
    for (Py_ssize_t k = start; ids && k < end && k < PyList_GET_SIZE(ids) && !failed; k++)
        failed = add_market(framing, by_channel, PyList_GET_ITEM(ids, k), k);
    return failed;
}

int find_channels(struct framing *framing, PyObject *runs, PyObject *ids, PyObject *events, PyObject *by_channel, int is_wide)
{
    Py_ssize_t total = PyList_GET_SIZE(runs), start = 0;
    PyObject **entries = look_up_events(events, runs, total);
    if (!entries) return -1;
    int result = 0;
    for (Py_ssize_t i = 0; i < total && !result; i++) {
        if (i + 2 * AHEAD < total) prefetch_slot(&event_layout, entries[i + 2 * AHEAD], EVENT_CHANNELS);
        if (i + AHEAD < total && entries[i + AHEAD] && Py_TYPE(entries[i + AHEAD]) == event_layout.type) {
            PyObject *next = *slot(&event_layout, entries[i + AHEAD], EVENT_CHANNELS);
            if (next && PyTuple_Check(next) && PyTuple_GET_SIZE(next)) PREFETCH(PyTuple_GET_ITEM(next, 0));
        }
        PyObject *event;
        long long count;
        if (read_run(PyList_GET_ITEM(runs, i), &event, &count)) {
            result = -1;
        } else if (count < 0 || count > framing->total - start) {
            result = 1;
        } else {
            if (entries[i] && count) result = add_event(framing, ids, entries[i], by_channel, is_wide, start, start + count);
            start += count;
        }
    }
    PyMem_Free(entries);
    if (result) return result;
    return start == framing->total ? 0 : 1;
}

PyObject *indexes_of(const struct framing *framing, const struct channel *channel)
{
    const struct span *first = &framing->spans[channel->first];
    if (channel->first == channel->last) return PyObject_CallFunction((PyObject *)&PyRange_Type, "nn", first->start, first->end);
    PyObject *indexes = PyList_New(channel->count);
    Py_ssize_t place = 0;
    for (uint32_t at = channel->first; indexes && at != NONE; at = framing->spans[at].next)
        for (Py_ssize_t index = framing->spans[at].start; index < framing->spans[at].end; index++, place++) {
            PyObject *number = PyLong_FromSsize_t(index);
            if (!number) {
                Py_DECREF(indexes);
                return NULL;
            }
            PyList_SET_ITEM(indexes, place, number);
        }
    return indexes;
}
