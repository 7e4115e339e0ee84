unit_test_area(cpu_system LIBRARIES reprise_cpu Zydis::Zydis SOURCES
  insn_length_test.cpp
  cpu_system/amd_test.cpp
  cpu_system/block_cache_test.cpp
  cpu_system/control_test.cpp
  cpu_system/cpu_model_test.cpp
  cpu_system/delivery_test.cpp
  cpu_system/far_test.cpp
  cpu_system/fast_call_test.cpp
  cpu_system/iret_test.cpp
  cpu_system/loaded_state_test.cpp
  cpu_system/random_test.cpp
  cpu_system/segments_test.cpp
  cpu_system/smm_test.cpp
  cpu_system/task_test.cpp
  cpu_system/vcpu_test.cpp
  cpu_system/xstate_test.cpp
)
