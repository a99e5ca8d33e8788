/* What all loops need: the slots of objects, checks of arguments, and look-ups that ask for memory ahead of time. */
#ifndef ODDSENGINE_OBJECTS_H
#define ODDSENGINE_OBJECTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define MAX_SLOTS 12

/* Where the instances of a class have their slots. There is one such class for each use. */
struct layout {
    PyTypeObject *type;
    Py_ssize_t offsets[MAX_SLOTS];
    const char *names[MAX_SLOTS + 1];
};

extern struct layout market_layout, event_layout, audience_layout;
enum { MARKET_AT, MARKET_HELD };
enum { EVENT_CHANNELS, EVENT_TOUCHED };
enum { AUDIENCE_IS_PLAIN, AUDIENCE_HEAD, AUDIENCE_CHANNEL, AUDIENCE_OPTIONS, AUDIENCE_MEMBERS, AUDIENCE_LAST_SENT_S };

/* Finds the slots of a class. Returns -1 with an error if it has not all of them. */
int find_slots(struct layout *layout, PyTypeObject *type);

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

/* These return -1 with an error if something is wrong. */
int check_count(const char *name, Py_ssize_t given, Py_ssize_t wanted);
int check(int is_right, const char *what);
/* Checks that there are a dict, and lists of as many records as ids of markets. */
int check_records(PyObject *known, PyObject *ids, PyObject *records);
/* Reads the event and the number of markets of a run. */
int read_run(PyObject *run, PyObject **event, long long *count);

/* Loops over markets spend their time waiting for memory: they look everything up first, and ask for what comes later. */
#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif
#define AHEAD 4

/* Looks up keys in a dict. Returns what was found, borrowed, or NULL for each; NULL with an error. */
PyObject **look_up(PyObject *dict, PyObject *keys, Py_ssize_t count);
/* Looks up the events of runs. Returns what was found, borrowed, or NULL for each; NULL with an error. */
PyObject **look_up_events(PyObject *events, PyObject *runs, Py_ssize_t count);

/* Asks for what a slot holds, if the object is of the class that is known. */
static inline void prefetch_slot(struct layout *layout, PyObject *object, int index)
{
    if (object && Py_TYPE(object) == layout->type) PREFETCH(*slot(layout, object, index));
}

#endif
