unit_test_area(verdict
  LIBRARIES reprise_verdict
  SOURCES
    verdict/costs_test.cpp
    verdict/guest_task_test.cpp
    verdict/guest_words_test.cpp
    verdict/initramfs_test.cpp
    verdict/kernel_reports_test.cpp
    verdict/log_line_test.cpp
    verdict/ltp_parser_test.cpp
    verdict/merged_test.cpp
    verdict/outcome_test.cpp
    verdict/shard_test.cpp
    verdict/shrink_test.cpp
    verdict/tap_parser_test.cpp
    verdict/tap_noise_test.cpp
    verdict/verdict_test.cpp)
