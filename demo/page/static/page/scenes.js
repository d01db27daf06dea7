// Made by python -m tests.model.scenes, from the model of the refresh rule.
export const SCENES = {
  "rules": [
    "No rotation",
    "Strict rotation",
    "drf-tessera"
  ],
  "scenes": [
    {
      "name": "A thief copies your token",
      "cells": [
        {
          "you": true,
          "thief": true,
          "steps": [
            "The thief copies your refresh token.",
            "You refresh: accepted.",
            "You refresh: accepted.",
            "The thief refreshes: accepted.",
            "You refresh: accepted.",
            "The thief refreshes: accepted.",
            "You refresh: accepted.",
            "The thief refreshes: accepted.",
            "You refresh: accepted."
          ]
        },
        {
          "you": false,
          "thief": false,
          "steps": [
            "The thief copies your refresh token.",
            "You refresh: accepted.",
            "You refresh: accepted.",
            "The thief refreshes: refused, and nobody is logged in.",
            "You refresh: refused, and nobody is logged in."
          ]
        },
        {
          "you": false,
          "thief": false,
          "steps": [
            "The thief copies your refresh token.",
            "You refresh: accepted.",
            "You refresh: accepted.",
            "The thief refreshes: refused, and nobody is logged in.",
            "You refresh: refused, and nobody is logged in."
          ]
        }
      ]
    },
    {
      "name": "Two tabs refresh at once",
      "cells": [
        {
          "you": true,
          "thief": null,
          "steps": [
            "You refresh in the first tab: accepted.",
            "You refresh in the second tab at the same moment: accepted.",
            "You refresh a minute later: accepted."
          ]
        },
        {
          "you": false,
          "thief": null,
          "steps": [
            "You refresh in the first tab: accepted.",
            "You refresh in the second tab at the same moment: refused, and nobody is logged in.",
            "You refresh a minute later: refused, and nobody is logged in."
          ]
        },
        {
          "you": true,
          "thief": null,
          "steps": [
            "You refresh in the first tab: accepted.",
            "You refresh in the second tab at the same moment: accepted.",
            "You refresh a minute later: accepted."
          ]
        }
      ]
    },
    {
      "name": "An answer is lost",
      "cells": [
        {
          "you": true,
          "thief": null,
          "steps": [
            "You refresh, and the answer is lost on its way.",
            "You try again a minute later: accepted."
          ]
        },
        {
          "you": false,
          "thief": null,
          "steps": [
            "You refresh, and the answer is lost on its way.",
            "You try again a minute later: refused, and nobody is logged in."
          ]
        },
        {
          "you": true,
          "thief": null,
          "steps": [
            "You refresh, and the answer is lost on its way.",
            "You try again a minute later: accepted."
          ]
        }
      ]
    }
  ],
  "loss": [
    null,
    0,
    6
  ],
  "bound": [
    null,
    0,
    7
  ]
};
