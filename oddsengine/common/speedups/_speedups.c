/* The loops in which a gateway spends its time, over changes, audiences and sessions.
 *
 * Each function does what a function in Python beside its caller does, which is used where this module was not built; the tests
 * compare the two. Objects are read through the slots of their classes, as attributes are looked up once a change.
 * A function returns None where the caller has to do it in Python.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <structmember.h>

/* `oddsengine.common.speedups` expects this one. */
#define INTERFACE 1
#define MAX_SLOTS 8
#define NONE UINT32_MAX

/* -- slots -------------------------------------------------------------------------------------------------------------- */

/* Where the instances of a class have their slots. There is one such class for each use. */
struct layout {
    PyTypeObject *type;
    Py_ssize_t offsets[MAX_SLOTS];
    const char *names[MAX_SLOTS + 1];
};

static struct layout market_layout = {NULL, {0}, {"at", "held", NULL}};
enum { MARKET_AT, MARKET_HELD };
static struct layout event_layout = {NULL, {0}, {"channels", "touched", NULL}};
enum { EVENT_CHANNELS, EVENT_TOUCHED };
static struct layout audience_layout = {
    NULL, {0}, {"is_plain", "head", "channel", "options", "members", "last_sent_s", NULL}};
enum { AUDIENCE_IS_PLAIN, AUDIENCE_HEAD, AUDIENCE_CHANNEL, AUDIENCE_OPTIONS, AUDIENCE_MEMBERS, AUDIENCE_LAST_SENT_S };

static int find_slots(struct layout *layout, PyTypeObject *type)
{
    /* Until all are found it is the layout of no class. */
    Py_CLEAR(layout->type);
    for (int i = 0; layout->names[i]; i++) {
        PyObject *found = PyObject_GetAttrString((PyObject *)type, layout->names[i]);
        if (!found) return -1;
        PyMemberDef *member = Py_IS_TYPE(found, &PyMemberDescr_Type) ? ((PyMemberDescrObject *)found)->d_member : NULL;
        int is_own = member && PyType_IsSubtype(type, ((PyDescrObject *)found)->d_type);
        /* A class keeps its descriptors, so the definition outlives this reference. */
        Py_DECREF(found);
        if (!is_own || member->type != T_OBJECT_EX) {
            PyErr_Format(PyExc_TypeError, "%s.%s is not a slot", type->tp_name, layout->names[i]);
            return -1;
        }
        layout->offsets[i] = member->offset;
    }
    Py_INCREF(type);
    Py_XSETREF(layout->type, type);
    return 0;
}

/* Returns where an object has a slot; NULL with an error if it has none. */
static inline PyObject **slot(struct layout *layout, PyObject *object, int index)
{
    if (Py_TYPE(object) != layout->type && find_slots(layout, Py_TYPE(object))) return NULL;
    return (PyObject **)((char *)object + layout->offsets[index]);
}

/* Returns what a slot holds, borrowed; NULL with an error if nothing. */
static inline PyObject *read_slot(struct layout *layout, PyObject *object, int index)
{
    PyObject **at = slot(layout, object, index);
    if (at && !*at) PyErr_Format(PyExc_AttributeError, "%s has no value", layout->names[index]);
    return at ? *at : NULL;
}

static int check_count(const char *name, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted) return 0;
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, wanted, given);
    return -1;
}

static int check(int is_right, const char *what)
{
    if (is_right) return 0;
    PyErr_SetString(PyExc_TypeError, what);
    return -1;
}

/* Reads the event and the number of markets of a run. */
static int read_run(PyObject *run, PyObject **event, long long *count)
{
    if (check(PyTuple_Check(run) && PyTuple_GET_SIZE(run) == 2, "a run is an event and a number")) return -1;
    *event = PyTuple_GET_ITEM(run, 0);
    *count = PyLong_AsLongLong(PyTuple_GET_ITEM(run, 1));
    return *count == -1 && PyErr_Occurred() ? -1 : 0;
}

/* Loops over markets spend their time waiting for memory: they look everything up first, and ask for what comes later. */
#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif
#define AHEAD 4

/* Looks up keys in a dict. Returns what was found, borrowed, or NULL for each; NULL with an error. */
static PyObject **look_up(PyObject *dict, PyObject *keys, Py_ssize_t count)
{
    PyObject **found = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *found);
    if (!found) return (PyObject **)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        found[i] = PyDict_GetItemWithError(dict, PyList_GET_ITEM(keys, i));
        if (found[i]) {
            PREFETCH(found[i]);
        } else if (PyErr_Occurred()) {
            PyMem_Free(found);
            return NULL;
        }
    }
    return found;
}

/* Looks up the events of runs. Returns what was found, borrowed, or NULL for each; NULL with an error. */
static PyObject **look_up_events(PyObject *events, PyObject *runs, Py_ssize_t count)
{
    PyObject **found = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *found);
    if (!found) return (PyObject **)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *run = PyList_GET_ITEM(runs, i);
        int failed = check(PyTuple_Check(run) && PyTuple_GET_SIZE(run) == 2, "a run is an event and a number");
        found[i] = failed ? NULL : PyDict_GetItemWithError(events, PyTuple_GET_ITEM(run, 0));
        if (found[i]) {
            PREFETCH(found[i]);
        } else if (failed || PyErr_Occurred()) {
            PyMem_Free(found);
            return NULL;
        }
    }
    return found;
}

/* Asks for what a slot holds, if the object is of the class that is known. */
static inline void prefetch_slot(struct layout *layout, PyObject *object, int index)
{
    if (object && Py_TYPE(object) == layout->type) PREFETCH(*slot(layout, object, index));
}

/* -- what a replica does with an entry ------------------------------------------------------------------------------------ */

PyDoc_STRVAR(take_over_doc,
             "take_over(markets, ids, records, seq)\n\n"
             "Note the records of markets at a position. Return whether any of them is new, which is not noted.");

static PyObject *take_over(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("take_over", count, 4)) return NULL;
    PyObject *markets = arguments[0], *ids = arguments[1], *records = arguments[2];
    if (check(PyDict_Check(markets) && PyList_Check(ids) && PyList_Check(records), "a dict and two lists are needed")) return NULL;
    long long seq = PyLong_AsLongLong(arguments[3]);
    if (seq == -1 && PyErr_Occurred()) return NULL;
    if (PyList_GET_SIZE(ids) != PyList_GET_SIZE(records)) {
        PyErr_SetString(PyExc_ValueError, "as many records as markets are needed");
        return NULL;
    }
    Py_ssize_t total = PyList_GET_SIZE(ids);
    PyObject **known = look_up(markets, ids, total);
    if (!known) return NULL;
    int has_new = 0, failed = 0;
    for (Py_ssize_t i = 0; i < total && !failed; i++) {
        if (!known[i]) {
            has_new = 1;
            continue;
        }
        PyObject *at = read_slot(&market_layout, known[i], MARKET_AT);
        long long known_at = at ? PyLong_AsLongLong(at) : -1;
        failed = !at || (known_at == -1 && PyErr_Occurred());
        if (failed || known_at >= seq) continue;
        PyObject **at_slot = slot(&market_layout, known[i], MARKET_AT), **held_slot = slot(&market_layout, known[i], MARKET_HELD);
        PyObject *held = *held_slot;
        *held_slot = Py_NewRef(PyList_GET_ITEM(records, i));
        *at_slot = Py_NewRef(arguments[3]);
        Py_DECREF(at);
        Py_XDECREF(held);
    }
    PyMem_Free(known);
    return failed ? NULL : PyBool_FromLong(has_new);
}

PyDoc_STRVAR(touch_doc,
             "touch(known, runs, seq, order)\n\n"
             "Note a position as that of the last change of the events of runs, and move them to the end of an order.\n"
             "Return whether any was moved.");

static PyObject *touch(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("touch", count, 4)) return NULL;
    PyObject *known = arguments[0], *runs = arguments[1], *order = arguments[3];
    if (check(PyDict_Check(known) && PyList_Check(runs) && PyDict_Check(order), "two dicts and a list are needed")) return NULL;
    long long seq = PyLong_AsLongLong(arguments[2]);
    if (seq == -1 && PyErr_Occurred()) return NULL;
    Py_ssize_t total = PyList_GET_SIZE(runs);
    PyObject **entries = look_up_events(known, runs, total);
    if (!entries) return NULL;
    int has_moved = 0, failed = 0;
    for (Py_ssize_t i = 0; i < total && !failed; i++) {
        PyObject *entry = entries[i];
        if (!entry) continue;
        PyObject *touched = read_slot(&event_layout, entry, EVENT_TOUCHED);
        long long touched_at = touched ? PyLong_AsLongLong(touched) : -1;
        failed = !touched || (touched_at == -1 && PyErr_Occurred());
        if (failed || touched_at == seq) continue;
        *slot(&event_layout, entry, EVENT_TOUCHED) = Py_NewRef(arguments[2]);
        Py_DECREF(touched);
        has_moved = 1;
        Py_INCREF(entry);
        int is_in = PyDict_Contains(order, entry);
        failed = is_in < 0 || (is_in && PyDict_DelItem(order, entry)) || PyDict_SetItem(order, entry, Py_None);
        Py_DECREF(entry);
    }
    PyMem_Free(entries);
    return failed ? NULL : PyBool_FromLong(has_moved);
}

/* Adds a version to those of a market; `versions` is NULL if it had none before this entry. */
static int add_version(PyObject *known, PyObject *id, PyObject *versions, PyObject *version, long long oldest)
{
    if (!versions) versions = PyDict_GetItemWithError(known, id);
    if (!versions) {
        if (PyErr_Occurred() || !(versions = PyList_New(1))) return -1;
        PyList_SET_ITEM(versions, 0, Py_NewRef(version));
        int failed = PyDict_SetItem(known, id, versions);
        Py_DECREF(versions);
        return failed;
    }
    if (check(PyList_Check(versions), "versions are a list") || PyList_Append(versions, version)) return -1;
    Py_ssize_t old = 0;
    for (; old + 1 < PyList_GET_SIZE(versions); old++) {
        PyObject *next = PyList_GET_ITEM(versions, old + 1);
        if (check(PyTuple_Check(next) && PyTuple_GET_SIZE(next) == 3, "a version is a record and two times")) return -1;
        long long received = PyLong_AsLongLong(PyTuple_GET_ITEM(next, 2));
        if (received == -1 && PyErr_Occurred()) return -1;
        if (received >= oldest) break;
    }
    return old ? PyList_SetSlice(versions, 0, old, NULL) : 0;
}

PyDoc_STRVAR(keep_versions_doc,
             "keep_versions(known, ids, records, published_ms, received_ms, oldest_ms)\n\n"
             "Add a version to each market, and drop those that were replaced before a time.");

static PyObject *keep_versions(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("keep_versions", count, 6)) return NULL;
    PyObject *known = arguments[0], *ids = arguments[1], *records = arguments[2];
    if (check(PyDict_Check(known) && PyList_Check(ids) && PyList_Check(records), "a dict and two lists are needed")) return NULL;
    if (PyList_GET_SIZE(ids) != PyList_GET_SIZE(records)) {
        PyErr_SetString(PyExc_ValueError, "as many records as markets are needed");
        return NULL;
    }
    int are_numbers = PyLong_Check(arguments[3]) && PyLong_Check(arguments[4]);
    long long oldest = PyLong_AsLongLong(arguments[5]);
    if (oldest == -1 && PyErr_Occurred()) return NULL;
    Py_ssize_t total = PyList_GET_SIZE(ids);
    PyObject **lists = look_up(known, ids, total);
    if (!lists) return NULL;
    int failed = 0;
    for (Py_ssize_t i = 0; i < total && !failed; i++) {
        if (i + AHEAD < total && lists[i + AHEAD] && PyList_Check(lists[i + AHEAD]))
            PREFETCH(((PyListObject *)lists[i + AHEAD])->ob_item);
        PyObject *version = PyTuple_Pack(3, PyList_GET_ITEM(records, i), arguments[3], arguments[4]);
        if (!version) {
            failed = 1;
            break;
        }
        /* Bytes and numbers: the collector would find that out, and there are many. */
        if (PyBytes_Check(PyTuple_GET_ITEM(version, 0)) && are_numbers) PyObject_GC_UnTrack(version);
        failed = add_version(known, PyList_GET_ITEM(ids, i), lists[i], version, oldest);
        Py_DECREF(version);
    }
    PyMem_Free(lists);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

/* -- what a fragment sets --------------------------------------------------------------------------------------------------- */

/* Returns the size of the number at the start of a text; 0 if there is none. */
static size_t number_size(const char *text, const char *end)
{
    const char *at = text;
    if (at < end && *at == '-') at++;
    if (at == end || *at < '0' || *at > '9') return 0;
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == 'e' || *at == 'E' || *at == '+' || *at == '-')) at++;
    return (size_t)(at - text);
}

/* Whether a number may begin here: after a quote that nothing escapes, and a colon. */
static int follows_key(const char *start, const char *at)
{
    return at - start >= 3 && at[-1] == ':' && at[-2] == '"' && at[-3] != '\\';
}

PyDoc_STRVAR(covers_doc,
             "covers(earlier, later)\n\n"
             "Check whether a ready fragment sets all that an earlier one of the same market has set: they differ in numbers only.");

static PyObject *covers(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (check_count("covers", count, 2)) return NULL;
    if (check(PyBytes_Check(arguments[0]) && PyBytes_Check(arguments[1]), "fragments are bytes")) return NULL;
    const char *start = PyBytes_AS_STRING(arguments[0]), *end = start + PyBytes_GET_SIZE(arguments[0]), *at = start;
    const char *other = PyBytes_AS_STRING(arguments[1]), *other_end = other + PyBytes_GET_SIZE(arguments[1]);
    while (at < end && other < other_end) {
        size_t number = follows_key(start, at) ? number_size(at, end) : 0, other_number = number ? number_size(other, other_end) : 0;
        if (other_number) {
            at += number;
            other += other_number;
        } else if (*at++ != *other++) {
            Py_RETURN_FALSE;
        }
    }
    return PyBool_FromLong(at == end && other == other_end);
}

/* -- numbers by the identity of objects ------------------------------------------------------------------------------------ */

struct numbers {
    struct {
        const void *key;
        uint32_t number;
    } * cells;
    uint32_t bits, used;
};

static inline size_t place_of(const struct numbers *numbers, const void *key)
{
    return (size_t)(((uint64_t)(uintptr_t)key >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - numbers->bits));
}

static int grow(struct numbers *numbers)
{
    struct numbers larger = {NULL, numbers->bits ? numbers->bits + 1 : 8, numbers->used};
    size_t mask = ((size_t)1 << larger.bits) - 1;
    larger.cells = PyMem_Calloc(mask + 1, sizeof *larger.cells);
    if (!larger.cells) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; numbers->bits && i < (size_t)1 << numbers->bits; i++) {
        if (!numbers->cells[i].key) continue;
        size_t at = place_of(&larger, numbers->cells[i].key);
        while (larger.cells[at].key) at = (at + 1) & mask;
        larger.cells[at] = numbers->cells[i];
    }
    PyMem_Free(numbers->cells);
    *numbers = larger;
    return 0;
}

/* Returns the number of an object, the next one if it has none yet; NONE with an error. */
static inline uint32_t number_of(struct numbers *numbers, const void *key)
{
    if ((!numbers->bits || numbers->used >= (UINT32_C(1) << numbers->bits) / 2) && grow(numbers)) return NONE;
    size_t mask = ((size_t)1 << numbers->bits) - 1, at = place_of(numbers, key);
    for (; numbers->cells[at].key; at = (at + 1) & mask)
        if (numbers->cells[at].key == key) return numbers->cells[at].number;
    numbers->cells[at].key = key;
    return numbers->cells[at].number = numbers->used++;
}

/* Makes room for one more item of an array. */
static int make_room(void **items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) return 0;
    if (count >= NONE / 2) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t larger = *room ? *room * 2 : 256;
    void *moved = PyMem_Realloc(*items, larger * size);
    if (!moved) {
        PyErr_NoMemory();
        return -1;
    }
    *items = moved;
    *room = larger;
    return 0;
}

/* -- the frames of audiences ------------------------------------------------------------------------------------------------ */

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

static void release_framing(struct framing *framing)
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

/* Finds the channels of the markets. Returns 1 if the runs are not those of the markets. */
static int find_channels(struct framing *framing, PyObject *runs, PyObject *ids, PyObject *events, PyObject *by_channel, int is_wide)
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

/* Returns the indexes of a channel's markets, as a range where they are next to each other, else as a list. */
static PyObject *indexes_of(const struct framing *framing, const struct channel *channel)
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

static inline char *copy(char *to, PyObject *bytes)
{
    memcpy(to, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    return to + PyBytes_GET_SIZE(bytes);
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

PyDoc_STRVAR(frames_doc,
             "frames(runs, total, ids, events, by_channel, is_wide, full, limit, fragments_of, stamps, stamp_of, special, now_s)\n\n"
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

static PyObject *frames(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
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

/* -- the payloads of sessions ----------------------------------------------------------------------------------------------- */

struct part {
    uint32_t frame, next;
};

/* Joins the frames of each session when it is its turn, so that there is never more than one copy. */
typedef struct {
    PyObject_HEAD
    PyObject **frames; /* owned */
    struct part *parts;
    struct receiver {
        uint32_t first, last;
    } *receivers;
    uint32_t frame_count, frame_room, part_count, part_room, receiver_count, receiver_room, next;
} Payloads;

static void payloads_release(Payloads *self)
{
    uint32_t count = self->frame_count;
    self->frame_count = 0;
    self->next = self->receiver_count;
    for (uint32_t i = 0; i < count; i++) Py_DECREF(self->frames[i]);
}

static void payloads_dealloc(Payloads *self)
{
    payloads_release(self);
    PyMem_Free(self->frames);
    PyMem_Free(self->parts);
    PyMem_Free(self->receivers);
    PyObject_Free(self);
}

static PyObject *payloads_next(Payloads *self)
{
    if (self->next >= self->receiver_count) {
        payloads_release(self);
        return NULL;
    }
    const struct receiver *receiver = &self->receivers[self->next++];
    if (receiver->first == receiver->last) return Py_NewRef(self->frames[self->parts[receiver->first].frame]);
    Py_ssize_t size = 0;
    for (uint32_t at = receiver->first; at != NONE; at = self->parts[at].next)
        size += PyBytes_GET_SIZE(self->frames[self->parts[at].frame]);
    PyObject *payload = PyBytes_FromStringAndSize(NULL, size);
    if (!payload) return NULL;
    char *to = PyBytes_AS_STRING(payload);
    for (uint32_t at = receiver->first; at != NONE; at = self->parts[at].next) to = copy(to, self->frames[self->parts[at].frame]);
    return payload;
}

static PyTypeObject PayloadsType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "oddsengine.common.speedups._speedups.Payloads",
    .tp_basicsize = sizeof(Payloads),
    .tp_dealloc = (destructor)payloads_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "What each session is sent, in their order.",
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)payloads_next,
};

/* Adds a frame to what a session is sent. Appends it to the sessions if it is sent nothing yet. */
static int add_part(Payloads *payloads, struct numbers *numbers, PyObject *sessions, PyObject *session, uint32_t frame)
{
    uint32_t number = number_of(numbers, session);
    if (number == NONE) return -1;
    if (number == payloads->receiver_count) {
        if (make_room((void **)&payloads->receivers, number, &payloads->receiver_room, sizeof *payloads->receivers)) return -1;
        payloads->receivers[payloads->receiver_count++] = (struct receiver){NONE, NONE};
        if (PyList_Append(sessions, session)) return -1;
    }
    if (make_room((void **)&payloads->parts, payloads->part_count, &payloads->part_room, sizeof *payloads->parts)) return -1;
    struct receiver *receiver = &payloads->receivers[number];
    payloads->parts[payloads->part_count] = (struct part){frame, NONE};
    if (receiver->last == NONE)
        receiver->first = payloads->part_count;
    else
        payloads->parts[receiver->last].next = payloads->part_count;
    receiver->last = payloads->part_count++;
    return 0;
}

static PyObject *attributes_of(PyObject *sessions, const char *name)
{
    PyObject *interned = PyUnicode_InternFromString(name), *found = interned ? PyList_New(PyList_GET_SIZE(sessions)) : NULL;
    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(sessions); i++) {
        PyObject *value = PyObject_GetAttr(PyList_GET_ITEM(sessions, i), interned);
        if (value)
            PyList_SET_ITEM(found, i, value);
        else
            Py_CLEAR(found);
    }
    Py_XDECREF(interned);
    return found;
}

/* Asks for the members of the audience of a pair. */
static void prefetch_members(PyObject *pair)
{
    PyObject *audience = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) ? PyTuple_GET_ITEM(pair, 0) : NULL;
    if (!audience || Py_TYPE(audience) != audience_layout.type) return;
    PyObject *members = *slot(&audience_layout, audience, AUDIENCE_MEMBERS);
    if (members && PyDict_Check(members)) PREFETCH(((PyDictObject *)members)->ma_keys);
}

PyDoc_STRVAR(coalesce_doc,
             "coalesce(due)\n\n"
             "Collect the frames due to the members of audiences, given as (audience, frame) pairs.\n\n"
             "Return the members, in the order in which they first have a frame due, what is called to write to each and to read its\n"
             "backlog, and an iterator of the joined frames of each.");

static PyObject *coalesce(PyObject *Py_UNUSED(module), PyObject *due)
{
    if (check(PyList_Check(due), "a list is needed")) return NULL;
    struct numbers numbers = {0};
    Payloads *payloads = PyObject_New(Payloads, &PayloadsType);
    if (!payloads) return NULL;
    memset((char *)payloads + offsetof(Payloads, frames), 0, sizeof *payloads - offsetof(Payloads, frames));
    PyObject *sessions = PyList_New(0), *writes = NULL, *backlogs = NULL, *result = NULL;
    if (!sessions) goto end;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(due); i++) {
        PyObject *pair = PyList_GET_ITEM(due, i);
        if (check(PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 && PyBytes_Check(PyTuple_GET_ITEM(pair, 1)),
                  "pairs of an audience and bytes are needed"))
            goto end;
        PyObject *members = read_slot(&audience_layout, PyTuple_GET_ITEM(pair, 0), AUDIENCE_MEMBERS);
        if (!members || check(PyDict_Check(members), "members are a dict")) goto end;
        if (i + AHEAD < PyList_GET_SIZE(due)) prefetch_members(PyList_GET_ITEM(due, i + AHEAD));
        uint32_t frame = payloads->frame_count;
        if (make_room((void **)&payloads->frames, frame, &payloads->frame_room, sizeof *payloads->frames)) goto end;
        payloads->frames[payloads->frame_count++] = Py_NewRef(PyTuple_GET_ITEM(pair, 1));
        PyObject *session, *value;
        Py_ssize_t place = 0;
        while (PyDict_Next(members, &place, &session, &value))
            if (add_part(payloads, &numbers, sessions, session, frame)) goto end;
    }
    writes = attributes_of(sessions, "write");
    backlogs = writes ? attributes_of(sessions, "backlog") : NULL;
    if (backlogs) result = PyTuple_Pack(4, sessions, writes, backlogs, payloads);
end:
    PyMem_Free(numbers.cells);
    Py_XDECREF(sessions);
    Py_XDECREF(writes);
    Py_XDECREF(backlogs);
    Py_DECREF(payloads);
    return result;
}

/* ---------------------------------------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"take_over", (PyCFunction)(void (*)(void))take_over, METH_FASTCALL, take_over_doc},
    {"touch", (PyCFunction)(void (*)(void))touch, METH_FASTCALL, touch_doc},
    {"keep_versions", (PyCFunction)(void (*)(void))keep_versions, METH_FASTCALL, keep_versions_doc},
    {"covers", (PyCFunction)(void (*)(void))covers, METH_FASTCALL, covers_doc},
    {"frames", (PyCFunction)(void (*)(void))frames, METH_FASTCALL, frames_doc},
    {"coalesce", coalesce, METH_O, coalesce_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "oddsengine.common.speedups._speedups",
    .m_doc = "The loops in which a gateway spends its time.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__speedups(void)
{
    if (PyType_Ready(&PayloadsType)) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "INTERFACE", INTERFACE)) Py_CLEAR(module);
    return module;
}
