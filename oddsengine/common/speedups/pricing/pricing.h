/* What all of this module needs. */
#ifndef ODDSENGINE_PRICING_H
#define ODDSENGINE_PRICING_H

#include "../native/objects.h"

/* Reads a list of so many items from a slot, borrowed; NULL with an error. */
PyObject *read_list(struct layout *layout, PyObject *object, int index, Py_ssize_t size);
/* Both return -1 with an error. */
int read_numbers(PyObject *list, double *numbers);
int set_number(PyObject *list, Py_ssize_t index, double number);

PyObject *changed_books(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char changed_books_doc[];
PyObject *differing(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char differing_doc[];
PyObject *imply_singly(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char imply_singly_doc[];
PyObject *common_factor(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char common_factor_doc[];
PyObject *update_independent(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char update_independent_doc[];
PyObject *moved_since(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char moved_since_doc[];
PyObject *price_fragments(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
extern const char price_fragments_doc[];

#endif
