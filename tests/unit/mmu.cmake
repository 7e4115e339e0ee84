unit_test_area(mmu
  LIBRARIES reprise_mmu
  SOURCES
    mmu_access_test.cpp
    mmu_code_pages_test.cpp
    mmu_flush_test.cpp
    mmu_fuzz_test.cpp
    mmu_observer_test.cpp
    mmu_page_walk_test.cpp
    mmu_phys_map_test.cpp
    mmu_ram_test.cpp
    mmu_second_level_tlb_test.cpp)
