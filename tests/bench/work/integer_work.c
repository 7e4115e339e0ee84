// Integer workloads: `integer_work sort|hash|tree|format`. Prints one line, the same on every machine.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static uint64_t sort(void) {
  enum { kNumbers = 700000 };
  static uint32_t numbers[kNumbers];
  for (int i = 0; i < kNumbers; ++i) numbers[i] = (uint32_t)next_random();
  qsort(numbers, kNumbers, sizeof *numbers, compare);
  uint64_t sum = 0;
  for (int i = 0; i < kNumbers; ++i) sum = sum * 31 + numbers[i];
  return sum;
}

// Open addressing on strings.
static uint64_t hash(void) {
  enum { kSlots = 1 << 16, kWords = 40000, kLookups = 4000000 };
  static char words[kWords][12];
  static const char* slots[kSlots];
  static uint32_t counts[kSlots];
  for (int i = 0; i < kWords; ++i) {
    uint64_t random = next_random();
    const int length = 4 + (int)(random >> 60) % 7;
    for (int at = 0; at < length; ++at, random >>= 5) words[i][at] = (char)('a' + random % 26);
  }
  for (int i = 0; i < kLookups; ++i) {
    const char* word = words[next_random() % kWords];
    uint32_t key = 2166136261u;
    for (const char* at = word; *at; ++at) key = (key ^ (uint8_t)*at) * 16777619u;
    uint32_t slot = key % kSlots;
    while (slots[slot] && strcmp(slots[slot], word) != 0) slot = (slot + 1) % kSlots;
    slots[slot] = word;
    ++counts[slot];
  }
  uint64_t sum = 0;
  for (int i = 0; i < kSlots; ++i) sum = sum * 31 + counts[i];
  return sum;
}

struct node {
  uint32_t key;
  struct node* child[2];
};

static uint64_t tree(void) {
  enum { kNodes = 300000 };
  struct node* root = NULL;
  uint64_t depths = 0;
  for (int i = 0; i < kNodes; ++i) {
    struct node* node = calloc(1, sizeof *node);
    node->key = (uint32_t)next_random();
    struct node** at = &root;
    for (; *at; ++depths) at = &(*at)->child[node->key > (*at)->key];
    *at = node;
  }
  return depths;
}

static uint64_t format(void) {
  enum { kLines = 500000 };
  uint64_t sum = 0;
  for (int i = 0; i < kLines; ++i) {
    char line[128];
    const int length = snprintf(line, sizeof line, "%08x %d %s %llu", (unsigned)next_random() >> 1, i, "text",
                                (unsigned long long)next_random());
    for (int at = 0; at < length; ++at) sum = sum * 31 + (uint8_t)line[at];
  }
  return sum;
}

int main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "";
  uint64_t (*work)(void) = !strcmp(name, "sort")     ? sort
                           : !strcmp(name, "hash")   ? hash
                           : !strcmp(name, "tree")   ? tree
                           : !strcmp(name, "format") ? format
                                                     : NULL;
  if (!work) return 2;
  printf("%s %016llx\n", name, (unsigned long long)work());
  return 0;
}
