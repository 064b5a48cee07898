"""`python -m course_magics.course`."""

import sys

from course_magics.course.commands import main

sys.exit(main())
