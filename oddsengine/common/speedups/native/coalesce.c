/* Collect the frames that are due to each session. */
#include "framing.h"
#include "loops.h"

#include <stddef.h>

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

PyTypeObject PayloadsType = {
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

const char coalesce_doc[] =
    PyDoc_STR("coalesce(due)\n\n"
              "Collect the frames due to the members of audiences, given as (audience, frame) pairs.\n\n"
              "Return the members, in the order in which they first have a frame due, what is called to write to each and to read its\n"
              "backlog, and an iterator of the joined frames of each.");

PyObject *coalesce(PyObject *Py_UNUSED(module), PyObject *due)
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
