# Python's regression tests of numbers, strings and what is computed with them. Prints lines "result TEST STATUS SUMMARY".
export PATH=/usr/bin:/bin PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
for test in test_float test_int test_long test_math test_cmath test_decimal test_fractions test_complex test_struct test_unicode \
            test_bytes test_re test_array test_bool test_binop test_numeric_tower test_pow test_strtod test_random test_statistics \
            test_hash test_hashlib test_hmac test_zlib test_binascii test_base64 test_json test_string test_format test_fstring \
            test_augassign test_builtin test_bisect test_heapq test_sort test_set test_dict test_list test_tuple test_itertools \
            test_memoryview test_codecs test_userstring test_unicodedata test_ucn test_textwrap test_colorsys test_audioop \
            test_datetime test_range test_slice test_index test_int_literal test_stringprep; do
  timeout 600 python3.11 -m test -v "$test" >/tmp/out 2>&1 </dev/null
  echo "result $test $? $(grep -E '^Ran [0-9]+ tests?' /tmp/out | sed 's/ in .*//' | tr '\n' ' ')"
  grep -E '^(FAIL|ERROR):' /tmp/out
done
