"""What a finding means, and what to do about it, by its kind."""

MEANINGS = {
    "ORPHAN": (
        "The provider has something for a reward that isn't on record here: made before a backup was restored, perhaps, or"
        " by another installation with the same account. Look at it there, and take it back there if it wasn't owed."
    ),
    "NOT_ISSUED_HERE": (
        "The provider has it, and here the reward isn't issued. If it is still due, mark it as issued with the provider's"
        " reference, so that nobody issues it again."
    ),
    "DOUBLE_THERE": (
        "The provider has two for one reward. Look at both there, and take back the one that wasn't owed."
    ),
    "DOUBLE_HERE": "Our own rows have two for one. Look at both rewards' pages, and at the provider.",
    "MISSING": (
        "Here the reward is issued, and the provider doesn't have it. Look there: it may have been deleted or returned. If"
        " the person didn't get it, give a one-time reward on the participant's page."
    ),
    "OTHER_REFERENCE": "Both have it, under different references. Look whether the provider has it twice.",
    "OTHER_AMOUNT": "Both have it, over different amounts. Look at the provider whether it was changed there.",
    "NOT_SHOWN": "The provider couldn't show what became of it. Look it up there by the reward's reference.",
    "BOOKS": "Our own figures don't agree with each other. An operator should see this.",
}
