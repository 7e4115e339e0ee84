// Integer workload of the benchmark: sorting, a checksum, a binary tree and formatting, all from one seed.
// Prints one line that is the same on every machine.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kNumbers = 300000, kNodes = 150000, kLines = 100000 };

static uint64_t state = 88172645463325252u;
static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static int compare(const void* a, const void* b) {
  uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return (x > y) - (x < y);
}

static uint32_t crc(const void* data, size_t bytes) {
  static uint32_t table[256];
  if (!table[1]) {
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
      table[i] = value;
    }
  }
  const uint8_t* at = data;
  uint32_t sum = ~0u;
  while (bytes--) sum = sum >> 8 ^ table[(sum ^ *at++) & 0xff];
  return ~sum;
}

struct node {
  uint32_t key;
  struct node* child[2];
};

static unsigned insert(struct node** at, struct node* node) {
  unsigned depth = 0;
  for (; *at; ++depth) at = &(*at)->child[node->key > (*at)->key];
  *at = node;
  return depth;
}

int main(void) {
  static uint32_t numbers[kNumbers];
  for (int i = 0; i < kNumbers; ++i) numbers[i] = (uint32_t)next_random();
  qsort(numbers, kNumbers, sizeof *numbers, compare);
  uint32_t sum = 0;
  for (int round = 0; round < 20; ++round) sum ^= crc(numbers, sizeof numbers) + (uint32_t)round;

  static struct node nodes[kNodes];
  struct node* root = NULL;
  uint64_t depths = 0;
  for (int i = 0; i < kNodes; ++i) {
    nodes[i].key = (uint32_t)next_random();
    depths += insert(&root, &nodes[i]);
  }

  char line[128];
  for (int i = 0; i < kLines; ++i) {
    int length = snprintf(line, sizeof line, "%08x %d %s %llu", numbers[i], i, "text", (unsigned long long)next_random());
    sum ^= crc(line, (size_t)length);
  }
  printf("%08x %llu\n", sum, (unsigned long long)depths);
  return 0;
}
