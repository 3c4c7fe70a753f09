// Nothing but the headers; a library needs a source.

#include "tests/support/test_headers.h"
