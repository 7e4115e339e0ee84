// A driver with a bug, for docs/debugging.md: two threads add to one list without a lock.
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>

struct job {
  struct list_head link;
  unsigned long number;
};

static LIST_HEAD(jobs);
static unsigned long done;

static int add_jobs(void* unused) {
  unsigned long number;

  for (number = 0; !kthread_should_stop(); number++) {
    struct job* job = kzalloc(sizeof(*job), GFP_KERNEL);

    if (!job) break;
    job->number = number;
    list_add(&job->link, &jobs); /* the other thread may be here, too */
    list_del(&job->link);
    kfree(job);
    done++;
    cond_resched();
  }
  return 0;
}

static int __init queue_init(void) {
  unsigned int cpu;

  for (cpu = 0; cpu < 2; cpu++) {
    struct task_struct* thread = kthread_create(add_jobs, NULL, "queue/%u", cpu);

    if (IS_ERR(thread)) return PTR_ERR(thread);
    kthread_bind(thread, cpu);
    wake_up_process(thread);
  }
  return 0;
}
module_init(queue_init);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A race of two processors");
