"""What eval/ladder trains and compares: a table of experiments, nothing else.

To add an experiment, add an Experiment to EXPERIMENTS, here or in a file of your own (`--experiments=FILE`,
which may import these):

- Experiment: `name`, of its table and of its files; `tier`, "quick" or "full"; `question`, what it is to
  answer; `stores`, the data; `shared`, options of `chainring train` for all its models, beside data.store,
  which is all the stores if left out; `models`, the first of which the others are compared with; `seeds` of
  the runs; `evaluations`, {way: options of `chainring eval`}, "" for the only way; `expert`, what the area is
  measured against: the "script" of the evaluation, or the highest expertise in the "data" of the first store.
- Model: `name`; `options` of `chainring train` of its own; `seeds`, if not the experiment's; `begins`, the name of
  a model of the same experiment whose run of the same seed is trained first and begun from (train.from).
- Store: `name`; `command`, the arguments of `chainring collect`, or of `chainring convert`, but --output (the
  ladder adds it: NAME.h5 in its folder); `needs`, if a trained policy makes it, the Run that is trained first,
  whose folder is {run} in the command. Experiments may share a store, of the same name and command.
- Run: `experiment`, `model`, `seed`.

{folder} in a command or an option is the ladder's folder. No experiment but by `needs` depends on another."""

from collections import namedtuple

Experiment = namedtuple("Experiment", "name tier question stores shared models seeds evaluations expert")
Store = namedtuple("Store", "name command needs", defaults=(None,))
Run = namedtuple("Run", "experiment model seed")
Model = namedtuple("Model", "name options seeds begins", defaults=({}, None, None))

ONE_TOKEN = {"context.tokens": "R+s+-a+-r+-d", "chain.trials_min": 4, "train.contexts": 32, "train.rate": 3e-3,
             "train.steps": 4000}
SEEDS = (0, 1, 2, 3, 4)


def collect(name, needs=None, **options):
    return Store(name, ("collect", *(f"--{key}={value}" for key, value in options.items())), needs)


def planner_ladder(task, groups, episodes, every=1):
    """Episodes from random to the planner's best, labelled by it."""
    return collect(task, task=task, policy="planner", label="planner", groups=groups, episodes=episodes,
                   **{"planner.every": every})


def hidden(name, question, store, shared, expert="data", anew=False, searcher=False):
    """A task of the hidden-task suite: what its expert's labels teach, four trials in a context; and what those of
    a planner that begins anew at every state do, or a searcher's own actions."""
    path, others, models = f"{{folder}}/{store.name}.h5", (), ()
    if anew:
        others += (Store(name + "_anew", ("convert", path, "--label=planner", "--planner.start=none")),)
        models += (Model("labels of plans begun anew", {"data.store": f"{{folder}}/{name}_anew.h5"}),)
    if searcher:
        others += (collect(name + "_searcher", task=name, policy="searcher", groups=400, episodes=4),)
        models += (Model("histories of a searcher", {"data.store": f"{{folder}}/{name}_searcher.h5",
                                                     "chain.sampling": "history", "chain.order": "history",
                                                     "chain.loss": "all"}),)
    return Experiment(
        name=name, tier="full", question=question, stores=(store, *others),
        shared={"context.tokens": "s+-a+-r+-d", "chain.trials_min": 4, "chain.order": "random", "chain.loss": "label",
                "train.precision": "bf16", "data.store": path, **shared},
        models=(Model("labels"), *models), seeds=SEEDS[:3], evaluations={"": {"eval.explore": "0"}}, expert=expert)


WINDOW = {"chain.trials": 1, "chain.trials_min": 1, "chain.window": 20, "chain.loss": "all", "train.contexts": 128,
          "train.steps": 3000, "train.rate": 1e-3, "eval.trials": 4}
CHAINS = {"context.tokens": "R+s+-a+-r+-d", "train.precision": "bf16", "train.rate": 2e-3}


def visible(store, whose, expert, contexts=4):
    """A task of the ring attention paper's table 5, which the state shows: does a memory help there?"""
    four = {"chain.trials_min": 4, "train.contexts": contexts, "train.steps": 400}
    labels = {"chain.order": "random", "chain.loss": "label"}
    return Experiment(
        name=store.name, tier="full",
        question="A task that the state shows, of the ring attention paper's table 5. The data are 32 episodes of "
                 f"{whose} in each of four groups, from guessing to its best.",
        stores=(store,), shared={},
        models=(
            Model("behaviour cloning, K = 20", {**WINDOW, "context.tokens": "s+-a"}),
            Model("behaviour cloning of the best tenth", {**WINDOW, "context.tokens": "s+-a", "chain.sampling": "best",
                                                          "chain.draws": 10}),
            Model("decision transformer, K = 20", {**WINDOW, "context.tokens": "R+s+-a"}),
            Model("agentic transformer, 4 trajectories", {**CHAINS, **four}),
            Model("agentic transformer, 4 trajectories, labels", {**CHAINS, **four, **labels}),
            Model("agentic transformer, 32 trajectories, labels",
                  {**CHAINS, **labels, "chain.trials": 32, "chain.trials_min": 32, "train.contexts": contexts // 4,
                   "train.steps": 60, "train.rate": 5e-4},
                  SEEDS[:1], begins="agentic transformer, 4 trajectories, labels")),
        seeds=SEEDS[:3], evaluations={"": {"eval.explore": "0", "eval.contexts": 16}}, expert=expert)


def histories(trials):
    """Of a searcher, as many steps in a batch whatever their length."""
    return Model(f"{trials} trials",
                 {"data.store": f"{{folder}}/point_mass_search_{trials}.h5", "chain.trials": trials,
                  "chain.trials_min": trials, "train.contexts": 512 // trials})


EXPERIMENTS = (
    Experiment(
        name="point_mass_hidden", tier="quick",
        question="A goal on a ring that only the dense reward tells. What do one token a step, an expert's labels, "
                 "and a memory of earlier trials bring?",
        stores=(collect("point_mass_hidden", label="script"),),
        shared=ONE_TOKEN,
        models=(
            Model("agentic transformer"),
            Model("agentic transformer, labels", {"chain.loss": "label", "chain.order": "random"}),
            Model("agentic transformer, labels, Gaussian", {"chain.loss": "label", "chain.order": "random",
                                                            "model.head": "gaussian"}),
            Model("agentic transformer, 5 tokens, 10,000 steps",
                  {"context.tokens": "R,s,a,r,d", "train.contexts": 16, "train.steps": 10000,
                   "train.rate": 1.5e-3, "chain.trials_min": 1}, SEEDS[:1]),
            Model("decision transformer, K = 20", {"context.tokens": "R,s,a", "chain.trials": 1, "chain.trials_min": 1,
                                                   "chain.window": 20, "chain.loss": "all", "eval.trials": 4}),
            Model("behaviour cloning", {"context.tokens": "s,a", "chain.trials": 1, "chain.trials_min": 1,
                                        "chain.loss": "all", "eval.trials": 4}),
        ),
        seeds=SEEDS, evaluations={"": {}}, expert="script"),
    *(Experiment(
        name=name, tier="quick", question=question,
        stores=(collect(name, task=name, policy="searcher", label="script", groups=groups, episodes=32),),
        shared={"context.tokens": "s+-a+-r+-d", "chain.trials": 32, "chain.trials_min": 32,
                "chain.sampling": "history", "chain.order": "history", "train.contexts": 8, "train.rate": 3e-3,
                "train.steps": steps},
        models=(Model("histories of a searcher", {"chain.loss": "all"}),
                Model("the expert's labels of them", {"chain.loss": "label"}, SEEDS[:1])),
        seeds=SEEDS[:3], evaluations={"": {"eval.sample": "yes", "eval.explore": "0"}}, expert="script")
      for name, groups, steps, question in (
          ("dark_room", 4000, 4000,
           "A goal cell of 81 pays, nothing else tells it, as in algorithm distillation and DPT. The goals of the "
           "evaluation are not among those of the data. Peers report last returns of 14.08 in such a room "
           "(arXiv 2312.12275)."),
          ("key_to_door", 8000, 8000,
           "A key in one cell and then a door in another pay once each; where they are is hidden, and whether the "
           "agent has the key. Peers report last returns of 1.74 (arXiv 2312.12275)."))),
    hidden("reacher_hidden", "A target around the shoulder of an arm of two links that only the dense reward tells.",
           collect("reacher_hidden", task="reacher_hidden", label="script"), ONE_TOKEN, "script"),
    hidden("point_mass_maze_hidden",
           "Which of four rooms has the goal? The reward is 0 until it is found, in episodes of 1,000 steps.",
           collect("point_mass_maze_hidden", task="point_mass_maze_hidden", label="script", groups=400, episodes=4),
           {"train.contexts": 4, "train.rate": 2e-3, "train.steps": 1500}, "script", searcher=True),
    hidden("jaco_hidden", "Which of four places on the floor does the arm have to reach?",
           collect("jaco_hidden", task="jaco_hidden", label="script", groups=400, episodes=4),
           {"train.contexts": 8, "train.rate": 2e-3, "train.steps": 2500}, "script", searcher=True),
    hidden("cartpole_swingup_dynamics", "Masses, damping and gravity differ from context to context. Labels are of "
           "plans that go on from the step before, or begin anew at every state.",
           planner_ladder("cartpole_swingup_dynamics", groups=200, episodes=4),
           {"train.contexts": 8, "train.rate": 2e-3, "train.steps": 2500}, anew=True),
    hidden("cheetah_run_dynamics", "Masses, damping, gravity and friction differ from context to context.",
           planner_ladder("cheetah_run_dynamics", groups=200, episodes=4),
           {"model.width": 128, "train.contexts": 8, "train.rate": 1e-3, "train.steps": 2500}),
    hidden("cheetah_velocity", "A hidden forward speed from 0 to 3 m/s, of which the dense reward tells how far off "
           "the cheetah is. Peers report areas of 0.81 without and 0.99 with a value loss, over 12 such data "
           "sets (arXiv 2502.17666).",
           collect("cheetah_velocity", task="cheetah_velocity", label="script", groups=2000, episodes=8),
           {"train.contexts": 16, "train.rate": 2e-3, "train.steps": 2500}, "script"),
    Experiment(
        name="point_mass_search", tier="full",
        question="A disc of 0.03 m on the ring pays, nothing else: whoever remembers where it has been finds it. What "
                 "do longer chains of a searcher's histories bring? The same steps are seen with every length; the "
                 "longest begin with chains of 32.",
        stores=tuple(collect(f"point_mass_search_{trials}", task="point_mass_search", policy="searcher",
                             groups=128000 // trials, episodes=trials) for trials in (4, 32, 128)),
        shared={"context.tokens": "s+-a+-r+-d", "chain.sampling": "history", "chain.order": "history",
                "chain.loss": "all", "model.head": "gaussian", "train.precision": "bf16", "train.rate": 2e-3,
                "train.steps": 4500},
        models=(histories(4), histories(32), Model("32 trials, two thirds of the steps",
                                                   {**histories(32).options, "train.steps": 3000}),
                Model("128 trials", {**histories(128).options, "train.steps": 1500, "train.rate": 1e-3},
                      begins="32 trials, two thirds of the steps")),
        seeds=SEEDS, evaluations={"": {"eval.sample": "yes", "eval.explore": "0"}}, expert="script"),
    Experiment(
        name="point_mass_recall", tier="full",
        question="Rewards are told in the first trial only, and all trials but the last are played by chance: what "
                 "is left of them at the last one, so many trials later? Chains of 128 begin with chains of 8, which "
                 "are empty again after 8.",
        # Noise so large that what it is added to does not matter, as in the evaluation.
        stores=(collect("point_mass_recall", task="point_mass_hidden", noise=10, coefficient=0, label="script",
                        groups=2000, episodes=128),),
        shared={"context.tokens": "s+-a+-r", "chain.order": "random", "chain.rewarded_trials": 1, "chain.loss": "label",
                "train.precision": "bf16"},
        models=(Model("8 trials", {"chain.trials": 8, "chain.trials_min": 8, "train.contexts": 128, "train.rate": 3e-3,
                                   "train.steps": 2500}),
                Model("128 trials", {"chain.trials": 128, "chain.trials_min": 128, "train.contexts": 8,
                                     "train.rate": 1e-3, "train.steps": 300}, begins="8 trials")),
        seeds=SEEDS[:1],
        evaluations={f"distance {distance}": {"eval.trials": distance + 1, "eval.explore": ",".join(["10"] * distance)}
                     for distance in (1, 7, 31, 127)},
        expert="script"),
    Experiment(
        name="labels_iterated", tier="full",
        question="Whether states that the policy itself visits, labelled by the expert, add to those of the script.",
        stores=(collect("point_mass_hidden", label="script"),
                collect("point_mass_hidden_own", policy="checkpoint", groups=4000, episodes=4, label="script", seed=1,
                        run="{run}", needs=Run("point_mass_hidden", "agentic transformer, labels", 0))),
        shared={**ONE_TOKEN, "chain.loss": "label", "chain.order": "random"},
        models=(Model("two rounds"), Model("one round", {"data.store": "{folder}/point_mass_hidden.h5"})),
        seeds=SEEDS[:3], evaluations={"": {}}, expert="script"),
    *(visible(planner_ladder(task, groups=4, episodes=32, every=every), "a planner", "data") for task, every in (
        ("cartpole_swingup", 4), ("walker_stand", 4), ("walker_walk", 4), ("walker_run", 4), ("cheetah_run", 1))),
    visible(collect("jaco_reach_top_left", task="jaco_reach_top_left", label="script", groups=4, episodes=32),
            "a script", "script", contexts=16),
)
