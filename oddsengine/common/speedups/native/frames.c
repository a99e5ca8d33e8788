/* Frame what each audience is sent of changed markets. */
#include "framing.h"
#include "loops.h"

/* Returns the fragments for some options, borrowed. */
static PyObject *find_fragments(struct framing *framing, PyObject *options)
{
    uint32_t at = framing->last_ready;
    if (at >= framing->ready_count || framing->ready[at].options != options)
        for (at = 0; at < framing->ready_count && framing->ready[at].options != options;) at++;
    if (at == framing->ready_count) {
        Py_INCREF(options); /* whatever is called may replace what the audience has */
        PyObject *found = PyObject_CallOneArg(framing->fragments_of, options);
        if (!found
            || check(PyList_Check(found) && PyList_GET_SIZE(found) == framing->total, "a list with as many fragments as markets is needed")
            || make_room((void **)&framing->ready, at, &framing->ready_room, sizeof *framing->ready)) {
            Py_XDECREF(found);
            Py_DECREF(options);
            return NULL;
        }
        framing->ready[framing->ready_count++] = (struct ready){options, found};
    }
    framing->last_ready = at;
    return framing->ready[at].fragments;
}

/* Whether all markets of a channel are encoded. */
static int are_encoded(const struct framing *framing, const struct channel *channel, PyObject *fragments)
{
    for (uint32_t at = channel->first; at != NONE; at = framing->spans[at].next)
        for (Py_ssize_t index = framing->spans[at].start; index < framing->spans[at].end; index++)
            if (index >= PyList_GET_SIZE(fragments) || !PyBytes_Check(PyList_GET_ITEM(fragments, index))) return 0;
    return 1;
}

/* Returns what a message has between its head and its markets; a new reference. */
static PyObject *find_stamp(struct framing *framing, PyObject *audience)
{
    PyObject *channel = read_slot(&audience_layout, audience, AUDIENCE_CHANNEL);
    if (!channel || check(PyTuple_Check(channel) && PyTuple_GET_SIZE(channel) > 1, "a channel has shards")) return NULL;
    PyObject *shards = PyTuple_GET_ITEM(channel, 1), *stamp = PyDict_GetItemWithError(framing->stamps, shards);
    if (stamp) return Py_NewRef(stamp);
    return PyErr_Occurred() ? NULL : PyObject_CallOneArg(framing->stamp_of, shards);
}

/* Writes the head of an uncompressed text frame (RFC 6455, section 5.2). Returns its size; writes nothing if `to` is NULL. */
static size_t write_text_head(unsigned char *to, uint64_t length)
{
    int bytes = length < 126 ? 0 : length < 1 << 16 ? 2 : 8;
    if (to) {
        *to++ = 0x81;
        *to++ = bytes == 0 ? (unsigned char)length : bytes == 2 ? 126 : 127;
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) *to++ = (unsigned char)(length >> shift);
    }
    return 2 + (size_t)bytes;
}

/* Frames a delta of markets in JSON, which are all encoded. */
static PyObject *join_short(const struct framing *framing, const struct channel *channel, PyObject *head, PyObject *stamp,
                            PyObject *fragments)
{
    if (check(PyBytes_Check(head) && PyBytes_Check(stamp), "heads and stamps are bytes")) return NULL;
    /* Of the markets: a comma before each but the first, and the end. */
    Py_ssize_t size = PyBytes_GET_SIZE(head) + PyBytes_GET_SIZE(stamp) + channel->count - 1 + 2;
    for (uint32_t at = channel->first; at != NONE; at = framing->spans[at].next)
        for (Py_ssize_t index = framing->spans[at].start; index < framing->spans[at].end; index++)
            size += PyBytes_GET_SIZE(PyList_GET_ITEM(fragments, index));
    size_t head_size = write_text_head(NULL, (uint64_t)size);
    PyObject *framed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)head_size + size);
    if (!framed) return NULL;
    char *to = PyBytes_AS_STRING(framed);
    write_text_head((unsigned char *)to, (uint64_t)size);
    to = copy(copy(to + head_size, head), stamp);
    int is_first = 1;
    for (uint32_t at = channel->first; at != NONE; at = framing->spans[at].next)
        for (Py_ssize_t index = framing->spans[at].start; index < framing->spans[at].end; index++) {
            if (!is_first) *to++ = ',';
            is_first = 0;
            to = copy(to, PyList_GET_ITEM(fragments, index));
        }
    memcpy(to, "]}", 2);
    return framed;
}

/* Frames what an audience is sent, or None. Sets whether it is all of the channel's markets. */
static PyObject *frame_of(struct framing *framing, const struct channel *channel, PyObject *audience, int is_short, int *is_all)
{
    PyObject *is_plain = read_slot(&audience_layout, audience, AUDIENCE_IS_PLAIN), *fragments = NULL;
    if (!is_plain) return NULL;
    if (is_short && is_plain == Py_True) {
        PyObject *options = read_slot(&audience_layout, audience, AUDIENCE_OPTIONS);
        if (!options || !(fragments = find_fragments(framing, options))) return NULL;
        if (!are_encoded(framing, channel, fragments)) fragments = NULL;
    }
    *is_all = fragments != NULL;
    if (!fragments) {
        PyObject *indexes = indexes_of(framing, channel);
        if (!indexes) return NULL;
        PyObject *framed = PyObject_CallFunctionObjArgs(framing->special, channel->name, audience, indexes, NULL);
        Py_DECREF(indexes);
        if (framed && framed != Py_None && check(PyBytes_Check(framed), "frames are bytes")) Py_CLEAR(framed);
        return framed;
    }
    PyObject *stamp = find_stamp(framing, audience);
    if (!stamp) return NULL;
    /* Read after the last call into Python, which may have replaced it, or any fragment. */
    PyObject *head = read_slot(&audience_layout, audience, AUDIENCE_HEAD);
    PyObject *framed = NULL;
    if (head && !check(are_encoded(framing, channel, fragments), "fragments are bytes"))
        framed = join_short(framing, channel, head, stamp, fragments);
    Py_DECREF(stamp);
    return framed;
}

/* Asks for the first audience of a channel, or for what is read of it. */
static void prefetch_audience(const struct framing *framing, uint32_t number, int is_read)
{
    PyObject *key, *audience;
    Py_ssize_t place = 0;
    if (number >= framing->channel_count || !PyDict_Next(framing->channels[number].audiences, &place, &key, &audience)) return;
    if (!is_read || Py_TYPE(audience) != audience_layout.type) {
        PREFETCH(audience);
        return;
    }
    PREFETCH(*slot(&audience_layout, audience, AUDIENCE_HEAD));
    PREFETCH(*slot(&audience_layout, audience, AUDIENCE_MEMBERS));
    PREFETCH(*slot(&audience_layout, audience, AUDIENCE_CHANNEL));
}

const char frames_doc[] =
    PyDoc_STR("frames(runs, total, ids, events, by_channel, is_wide, full, limit, fragments_of, stamps, stamp_of, special, now_s)\n\n"
              "Frame what each audience is sent of changed markets.\n\n"
              "Return (audience, frame) pairs, and how many deltas, frames and bytes that is for their members; None if the runs are not\n"
              "those of the markets.\n\n"
              "Args:\n"
              "    runs: the events of the markets, each with the number of its next markets.\n"
              "    total: how many markets there are.\n"
              "    ids: the markets, if any market has a channel of its own; else None.\n"
              "    events: the events on offer.\n"
              "    by_channel: the audiences of each channel.\n"
              "    is_wide: whether any channel is not of a single event or market.\n"
              "    full: the channels that are framed by `special`.\n"
              "    limit: with as many markets as this, too.\n"
              "    fragments_of: returns the fragments of the markets for some options, with None for those that `special` encodes.\n"
              "    stamps: what the messages have between head and markets, by shards; `stamp_of` returns and adds what is missing.\n"
              "    special: frames what an audience is sent of a channel's markets, given their indexes, and counts its deltas.\n"
              "    now_s: becomes the time when each audience was last sent anything.");

PyObject *frames(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("frames", count, 13)) return NULL;
    PyObject *runs = arguments[0], *ids = arguments[2] == Py_None ? NULL : arguments[2], *events = arguments[3];
    PyObject *by_channel = arguments[4], *full = arguments[6];
    struct framing framing = {.total = PyLong_AsSsize_t(arguments[1]),
                              .fragments_of = arguments[8],
                              .stamps = arguments[9],
                              .stamp_of = arguments[10],
                              .special = arguments[11]};
    Py_ssize_t limit = PyLong_AsSsize_t(arguments[7]);
    int is_wide = PyObject_IsTrue(arguments[5]);
    if (PyErr_Occurred()) return NULL;
    if (check(PyList_Check(runs) && (!ids || PyList_Check(ids)), "runs and markets are lists")) return NULL;
    if (check(PyDict_Check(events) && PyDict_Check(by_channel) && PyDict_Check(framing.stamps), "dicts are needed")) return NULL;
    if (check(PyAnySet_Check(full), "a set is needed")) return NULL;
    long long deltas = 0, frames_sent = 0, bytes = 0;
    PyObject *due = NULL, *result = NULL;
    int found = find_channels(&framing, runs, ids, events, by_channel, is_wide);
    if (found > 0) result = Py_NewRef(Py_None);
    if (found || !(due = PyList_New(0))) goto end;
    for (uint32_t i = 0; i < framing.channel_count; i++) prefetch_audience(&framing, i, 0);
    for (uint32_t i = 0; i < framing.channel_count; i++) {
        const struct channel *channel = &framing.channels[i];
        prefetch_audience(&framing, i + AHEAD, 1);
        int is_full = PySet_GET_SIZE(full) ? PySet_Contains(full, channel->name) : 0;
        if (is_full < 0) goto end;
        PyObject *audience, *key;
        Py_ssize_t place = 0;
        while (PyDict_Next(channel->audiences, &place, &key, &audience)) {
            Py_INCREF(audience);
            int is_all = 0;
            PyObject *framed = frame_of(&framing, channel, audience, !is_full && channel->count < limit, &is_all);
            if (!framed || framed == Py_None) {
                Py_DECREF(audience);
                if (!framed) goto end;
                Py_DECREF(framed);
                continue;
            }
            PyObject *members = read_slot(&audience_layout, audience, AUDIENCE_MEMBERS);
            PyObject **last_sent = slot(&audience_layout, audience, AUDIENCE_LAST_SENT_S);
            int failed = !members || check(PyDict_Check(members), "members are a dict");
            if (!failed) {
                Py_ssize_t receivers = PyDict_GET_SIZE(members);
                deltas += is_all ? (long long)channel->count * receivers : 0;
                frames_sent += receivers;
                bytes += (long long)PyBytes_GET_SIZE(framed) * receivers;
                Py_INCREF(arguments[12]);
                Py_XSETREF(*last_sent, arguments[12]);
            }
            PyObject *pair = failed ? NULL : PyTuple_Pack(2, audience, framed);
            Py_DECREF(audience);
            Py_DECREF(framed);
            if (!pair) goto end;
            failed = PyList_Append(due, pair);
            Py_DECREF(pair);
            if (failed) goto end;
        }
    }
    result = Py_BuildValue("(OLLL)", due, deltas, frames_sent, bytes);
end:
    Py_XDECREF(due);
    release_framing(&framing);
    return result;
}
