unit_test_area(memory_report
  LIBRARIES reprise_memory_report
  SOURCES
    memory_report/entry_log_test.cpp
    memory_report/fault_log_test.cpp
    memory_report/leaf_entry_test.cpp
    memory_report/page_tables_test.cpp
    memory_report/report_span_test.cpp
    memory_report/windows_test.cpp
    memory_report/working_sets_test.cpp)
