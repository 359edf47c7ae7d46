"""What eval/ladder trains and compares: a table of experiments, nothing else.

An experiment has stores (arguments of `chainring collect`, or of `chainring convert` from another
store), models (options of `chainring train` beside the shared ones), and what its scores are
measured against: the `expert` score of a trial, or the evaluation's own script. A model may be evaluated
in several ways; {folder} in a command or an option stands for the ladder's folder."""

from collections import namedtuple

Experiment = namedtuple("Experiment", "name tier question stores shared models seeds evaluations expert")
Store = namedtuple("Store", "name command")
Model = namedtuple("Model", "name options seeds", defaults=({}, None))

ONE_TOKEN = {"context.tokens": "R+s+-a+-r+-d", "chain.trials_min": 4, "train.contexts": 32, "train.rate": 3e-3,
             "train.steps": 4000}
SEEDS = (0, 1, 2, 3, 4)


def collect(name, **options):
    return Store(name, ("collect", *(f"--{key}={value}" for key, value in options.items())))


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
            Model("agentic transformer, labels, Gaussian", {"chain.loss": "label", "model.head": "gaussian"}),
            Model("agentic transformer, 5 tokens, 10,000 steps",
                  {"context.tokens": "R,s,a,r,d", "train.contexts": 16, "train.steps": 10000}, SEEDS[:1]),
            Model("decision transformer, K = 20", {"context.tokens": "R,s,a", "chain.trials": 1, "chain.trials_min": 1,
                                                   "chain.window": 20, "chain.loss": "all"}),
            Model("behaviour cloning", {"context.tokens": "s,a", "chain.trials": 1, "chain.trials_min": 1,
                                        "chain.loss": "all"}),
        ),
        seeds=SEEDS, evaluations={"": {}}, expert=None),
    *(Experiment(
        name=name, tier="quick", question=question,
        stores=(collect(name, task=name, policy="searcher", label="script", groups=4000, episodes=trials),),
        shared={"context.tokens": "s+-a+-r+-d", "chain.trials": trials, "chain.trials_min": trials,
                "chain.sampling": "history", "chain.order": "history", "train.contexts": 32, "train.rate": 3e-3,
                "train.steps": 4000},
        models=(Model("histories of a searcher", {"chain.loss": "all"}),
                Model("the expert's labels of them", {"chain.loss": "label"})),
        seeds=SEEDS[:3], evaluations={"": {"eval.sample": "yes", "eval.explore": "0"}}, expert=None)
      for name, trials, question in (
          ("dark_room", 8, "A goal cell of 81 pays, nothing else tells it, as in algorithm distillation and DPT. The "
                           "goals of the evaluation are not among those of the data."),
          ("key_to_door", 8, "A key in one cell and then a door in another pay once each; where they are is hidden, and "
                             "whether the agent has the key."))),
    Experiment(
        name="cheetah_velocity", tier="full",
        question="A hidden forward speed from 0 to 3 m/s, of which the dense reward tells how far off the cheetah is. "
                 "Labels are the planner's.",
        stores=(collect("cheetah_velocity", task="cheetah_velocity", policy="planner", label="planner", groups=100,
                        episodes=8),),
        shared={**ONE_TOKEN, "chain.loss": "label", "model.width": 128, "train.contexts": 8, "train.rate": 1e-3},
        models=(Model("labels"), Model("labels, Gaussian", {"model.head": "gaussian"})),
        seeds=SEEDS[:3], evaluations={"": {"eval.explore": "0"}}, expert=165.6),
    Experiment(
        name="point_mass_search", tier="full",
        question="A disc of 0.03 m on the ring pays, nothing else: whoever remembers where it has been finds it. What "
                 "do longer chains of a searcher's histories bring? The same steps are seen with every length.",
        stores=tuple(collect(f"point_mass_search_{trials}", task="point_mass_search", policy="searcher",
                             groups=128000 // trials, episodes=trials) for trials in (4, 32, 128)),
        shared={"context.tokens": "s+-a+-r+-d", "chain.sampling": "history", "chain.order": "history",
                "chain.loss": "all", "model.head": "gaussian", "train.rate": 2e-3, "train.steps": 3000},
        models=tuple(
            Model(f"{trials} trials", {"data.store": f"{{folder}}/point_mass_search_{trials}.h5", "chain.trials": trials,
                                       "chain.trials_min": trials, "train.contexts": 512 // trials})
            for trials in (4, 32, 128)),
        seeds=SEEDS, evaluations={"": {"eval.sample": "yes", "eval.explore": "0"}}, expert=None),
    Experiment(
        name="point_mass_recall", tier="full",
        question="Rewards are told in the first trial only, and all trials but the last are played by chance: what "
                 "is left of them at the last one, so many trials later?",
        stores=(collect("point_mass_recall", task="point_mass_hidden", policy="random", label="script", groups=1000,
                        episodes=128),),
        shared={"context.tokens": "s+-a+-r", "chain.trials": 128, "chain.trials_min": 128, "chain.order": "random",
                "chain.rewarded_trials": 1, "chain.loss": "label", "train.contexts": 8, "train.rate": 2e-3,
                "train.steps": 2000},
        models=(Model("labels"),), seeds=SEEDS[:1],
        evaluations={f"distance {distance}": {"eval.trials": distance + 1, "eval.explore": ",".join(["10"] * distance)}
                     for distance in (1, 3, 15, 63, 127)},
        expert=None),
    Experiment(
        name="labels_iterated", tier="full",
        question="Whether states that the policy itself visits, labelled by the expert, add to those of the script.",
        stores=(collect("point_mass_hidden", label="script"),
                collect("point_mass_hidden_own", policy="checkpoint", groups=4000, episodes=4, label="script", seed=1,
                        run="{folder}/runs/point_mass_hidden-agentic_transformer_labels-0")),
        shared={**ONE_TOKEN, "chain.loss": "label"},
        models=(Model("two rounds"), Model("one round", {"data.weights": "1,1e-9"})),
        seeds=SEEDS, evaluations={"": {}}, expert=None),
)
