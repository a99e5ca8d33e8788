/* The probabilities of selections that follow from their own offers, the prices that follow from their own odds, and their bytes.
 *
 * Each function does what Python beside its caller does, in the same steps with the same sums, which is used where this
 * module was not built; the tests compare the two. Objects are read and written through the slots of their classes.
 */
#include "pricing.h"

#include "../native/modules.h"

/* `oddsengine.common.speedups` expects this one. */
#define INTERFACE 2

PyObject *read_list(struct layout *layout, PyObject *object, int index, Py_ssize_t size)
{
    PyObject *list = read_slot(layout, object, index);
    if (list && check(PyList_Check(list) && (size < 0 || PyList_GET_SIZE(list) == size), layout->names[index])) return NULL;
    return list;
}

int read_numbers(PyObject *list, double *numbers)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        numbers[i] = PyFloat_AsDouble(PyList_GET_ITEM(list, i));
        if (numbers[i] == -1.0 && PyErr_Occurred()) return -1;
    }
    return 0;
}

int set_number(PyObject *list, Py_ssize_t index, double number)
{
    PyObject *value = PyFloat_FromDouble(number);
    return value ? PyList_SetItem(list, index, value) : -1;
}

static PyMethodDef methods[] = {
    FUNCTION(changed_books),
    FUNCTION(differing),
    FUNCTION(imply_singly),
    FUNCTION(common_factor),
    FUNCTION(update_independent),
    FUNCTION(moved_since),
    FUNCTION(price_fragments),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "oddsengine.common.speedups._pricing",
    .m_doc = "The steps from best offers to published prices.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__pricing(void)
{
    return make_module(&definition, INTERFACE);
}
