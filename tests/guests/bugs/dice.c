// A driver with a bug, for docs/debugging.md: memory that it gave to a device (virtio-rng, which writes random numbers into it) is
// freed while the device still has it.
#include <linux/module.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

enum { ROLL_BYTES = 64 };

struct ledger {
  u64 sum;
  u64 entries[7];
};

static struct ledger* ledger;

static void dice_rolled(struct virtqueue* queue) {}

static int dice_probe(struct virtio_device* device) {
  struct virtqueue* queue = virtio_find_single_vq(device, dice_rolled, "rolls");
  struct scatterlist list;
  u8* roll;

  if (IS_ERR(queue)) return PTR_ERR(queue);
  virtio_device_ready(device);
  roll = kmalloc(ROLL_BYTES, GFP_KERNEL);
  if (!roll) return -ENOMEM;
  sg_init_one(&list, roll, ROLL_BYTES);
  virtqueue_add_inbuf(queue, &list, 1, roll, GFP_KERNEL);
  virtqueue_kick(queue);
  kfree(roll); /* the device has not written it yet */
  ledger = kzalloc(sizeof(*ledger), GFP_KERNEL);
  return ledger ? 0 : -ENOMEM;
}

static const struct virtio_device_id dice_ids[] = {{VIRTIO_ID_RNG, VIRTIO_DEV_ANY_ID}, {0}};

static struct virtio_driver dice_driver = {
    .driver.name = "dice",
    .driver.owner = THIS_MODULE,
    .id_table = dice_ids,
    .probe = dice_probe,
};

/* The ledger's entries and their sum agree, always. */
static int dice_check(const char* value, const struct kernel_param* parameter) {
  u64 sum = 0;
  unsigned int i;

  for (i = 0; ledger && i < ARRAY_SIZE(ledger->entries); i++) sum += ledger->entries[i];
  BUG_ON(ledger && sum != ledger->sum);
  return 0;
}

static const struct kernel_param_ops dice_check_operations = {.set = dice_check};
module_param_cb(check, &dice_check_operations, NULL, 0200);

module_virtio_driver(dice_driver);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A buffer that a device writes after it was freed");
