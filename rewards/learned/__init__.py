"""Reward models: rewards that are learned, from preferences between episodes, labels, demonstrations or frames.

The only folder of ``rewards`` that uses torch, and only its modules do: importing this package stays light.

- :mod:`.reward`: ``learned("folder")``, a saved model as a reward.
- :mod:`.model`, :mod:`.encoders`, :mod:`.language`: outcome and process models on features, frames or a language model.
- :mod:`.data`, :mod:`.fit`, :mod:`.saved`: pairs and labels, the losses and the one training loop, files.
- :mod:`.hierarchy`: preferences from an order of importance.  :mod:`.regret`: preferences that compare decisions.
- :mod:`.users`: users who disagree.  :mod:`.implicit`: step rewards out of a policy trained on preferences.
- :mod:`.adversarial`: telling an expert from the learner.  :mod:`.inverse_q`: rewards of several agents from
  demonstrations.  :mod:`.goals`: likeness to states that ended well.
"""
